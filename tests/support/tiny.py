"""Small configs, images and batches."""

import torch
from torch import Tensor

from genctl.config import config as configs
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.batch import Batch
from genctl.data.batch_noise import BatchNoise
from genctl.training.batches import Batches

SMALL = {
    "dcgan": (
        "networks.z_dim=4",
        "networks.generator_channels=[8]",
        "networks.critic_channels=[8]",
        "networks.critic_hidden_dim=8",
        "networks.encoder_channels=[4, 8]",
    ),
    "resnet": (
        "networks.kind=resnet",
        "networks.z_dim=4",
        "networks.channels=[6, 4]",
        "networks.encoder_channels=[6, 4]",
    ),
    "unet": (
        "networks.kind=unet",
        "networks.channels=[6, 8]",
        "networks.style_dim=8",
        "networks.critic_channels=[8]",
        "networks.critic_hidden_dim=8",
        "networks.encoder_channels=[4, 8]",
    ),
}
"""Networks for images of 8x8."""


def tiny(*overrides: str, family: str = "dcgan") -> Config:
    """The preset ``tiny`` with smaller networks, images and batches."""
    size = ("data.image_size=8", "training.batch_size=8")
    return configs.load("tiny", [*size, *SMALL[family], *overrides])


def images(count: int = 20, size: int = 8, channels: int = 1, classes: int = 4) -> Images:
    """Random images; image i is of class i modulo ``classes``, and its first pixel is i."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, channels, size, size), generator=random).byte()
    pixels[:, :, 0, 0] = torch.arange(count).byte()[:, None]
    labels = torch.arange(count) % max(classes, 1)
    return Images(pixels, labels, tuple(map(str, range(classes))))


def image_numbers(batch: Tensor) -> list[int]:
    """Which of the images of ``images`` a batch holds, read from their first pixels."""
    return [round(value) for value in ((batch[:, 0, 0, 0] + 1) * 127.5).tolist()]


def batches(config: Config, data: Images | None = None, rows: slice = slice(None)) -> Batches:
    """The batches of a run with ``config``, or some rows of each."""
    return Batches(
        images() if data is None else data,
        config.condition,
        config.z_dim,
        config.training.batch_size,
        config.training.seed,
        rows,
    )


def batch_noise(count: int, number: int = 0) -> BatchNoise:
    """Random numbers for ``count`` images."""
    return BatchNoise(0, number, count, torch.device("cpu"))


def batch(
    real: Tensor, z: Tensor, variant: str = "", progress: float = 0.0, classes: int = 0
) -> Batch:
    """A batch whose encoder sees the real images; image i is of class i modulo ``classes``."""
    labels = torch.arange(len(real)) % max(classes, 1)
    noise = batch_noise(len(real))
    return Batch(z, real, real, labels, classes, variant, torch.tensor(progress), noise)

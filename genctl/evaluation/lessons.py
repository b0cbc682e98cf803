"""Training a judge: once for each data set, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genctl.common.devices import auto_precision, autocast
from genctl.common.rng import derive_seed, torch_rng
from genctl.data.base import Images
from genctl.evaluation.judge import JudgeNetwork, look
from genctl.networks.layers.random_affine import random_affine

EPOCHS = 7
MIN_LOOKS = 60_000  # images, however small the data set
BATCH = 128
RATE = 4e-3  # the highest learning rate, a tenth of the way in
TRANSLATE, SCALE, DEGREES = 0.06, 0.12, 12.0  # how far an image is moved; the last epoch halves it
SMOOTHING = 0.05
VARIANCE = 0.25  # of a feature; any constant would do, this is about what untouched ones have
SCALED_BY = 10_000  # images

Progress = Callable[[float], None]
"""Told the share of the work that is done."""


def teach(
    data: Images,
    device: torch.device,
    progress: Progress,
    seed: int = 0,
    looks: int | None = None,
) -> JudgeNetwork:
    """Train a classifier on ``data``; all its randomness comes from ``seed``.

    Args:
        data: labelled images.
        device: where to compute.
        progress: told the share that is done.
        seed: another one, another judge.
        looks: images to look at, each as often as any other; by default enough.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "judge"))
        network = JudgeNetwork(data.shape, len(data.classes))
    network.to(device).to(memory_format=torch.channels_last)
    data = data.to(device)
    precision = auto_precision(device)[0]
    optimizer = torch.optim.AdamW(
        network.parameters(), RATE, betas=(0.9, 0.99), weight_decay=0.02, fused=True
    )
    steps = (looks or max(EPOCHS * len(data), MIN_LOOKS)) // BATCH
    for step in range(steps):
        share = step / steps
        optimizer.param_groups[0]["lr"] = RATE * min((share + 0.001) / 0.1, (1 - share) / 0.9)
        images, labels = _batch(data, step, 0.5 if share > 1 - 1 / EPOCHS else 1.0, seed)
        with autocast(precision, device):
            _, logits = network(images)
        loss = cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(share)
    network.eval().requires_grad_(False)
    _set_scale(network, data)
    progress(1.0)
    return network


def accuracy(network: JudgeNetwork, images: Images) -> float:
    """The share of real images whose class the judge names."""
    return float((look(network, images.pixels).labels == images.labels.cpu()).double().mean())


def _batch(data: Images, step: int, strength: float, seed: int) -> tuple[Tensor, Tensor]:
    """Batch ``step`` of an endless row of epochs, each in an order of its own."""
    epoch, number = divmod(step, max(len(data) // BATCH, 1))
    order = torch.randperm(len(data), generator=torch_rng(seed, "judge", "order", epoch))
    index = order[number * BATCH : (number + 1) * BATCH].to(data.device)
    random = torch_rng(seed, "judge", "move", step)
    images = data.floats(index)
    if data.shape.channels == 3:  # photographs may be mirrored; digits may not
        flip = torch.rand(len(index), 1, 1, 1, generator=random).to(data.device) < 0.5
        images = torch.where(flip, images.flip(3), images)
    uniform = torch.rand(4, len(images), generator=random).T.to(data.device)
    moved = random_affine(
        images, DEGREES * strength, TRANSLATE * strength, SCALE * strength, uniform
    )
    return moved, data.labels[index]


def _set_scale(network: JudgeNetwork, data: Images) -> None:
    """Let the features of the first real images vary by ``VARIANCE`` on average."""
    variance = look(network, data.pixels[:SCALED_BY]).features.var(dim=0).mean()
    network.scale.copy_((VARIANCE / variance).sqrt())

"""Models without networks, whose scores are known beforehand."""

import torch
from torch import Tensor

from genctl.conditions.base import Condition
from genctl.conditions.image import Image
from genctl.conditions.none import NoCondition
from genctl.data.base import Images
from genctl.data.pixels import to_floats
from genctl.model import Model


class FakeModel(Model):
    """Its codes are the encoder's inputs, flattened; z is one number."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition, networks={}, z_dim=1, precision="auto")

    def encode(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)


class IdentityModel(FakeModel):
    """Generates its condition, a 16x16 image, whatever z is."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__(Image())
        self.channels = channels

    def generate(self, z: Tensor, code: Tensor, steps: int = 1) -> Tensor:
        return code.view(-1, self.channels, 16, 16)


class CopyingModel(FakeModel):
    """Generates a copy of one of ``images``, whatever its condition is; z chooses which."""

    def __init__(self, images: Images, condition: Condition | None = None) -> None:
        super().__init__(condition or Image())
        self.images = images

    def generate(self, z: Tensor, code: Tensor, steps: int = 1) -> Tensor:
        share = torch.special.ndtr(z[:, 0].double())  # uniform in 0 to 1
        return to_floats(self.images.pixels[(share * len(self.images)).long()])


def unconditional(images: Images) -> CopyingModel:
    """An unconditional model that generates copies of ``images``."""
    return CopyingModel(images, NoCondition())

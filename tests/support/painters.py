"""Stand-ins for a trained model whose scores are known beforehand."""

import torch
from torch import Tensor, nn

from genctl.conditions.base import Condition
from genctl.conditions.image import Image
from genctl.conditions.none import NoCondition
from genctl.data.base import Images
from genctl.data.pixels import to_floats
from genctl.model import Model


class Painter(Model):
    """A model without networks; z is one number."""

    z_dim = 1
    precision = "auto"

    def __init__(self, condition: Condition) -> None:
        nn.Module.__init__(self)
        self.condition = condition
        self.seen: list[Tensor] = []

    def encode(self, shown: Tensor) -> Tensor:
        """What is shown is its own code."""
        return shown.flatten(1)


class Mirror(Painter):
    """Repeats the images of 16x16 that it is shown, whatever z is."""

    def __init__(self) -> None:
        super().__init__(Image())

    def generate(self, z: Tensor, code: Tensor) -> Tensor:
        return code.unflatten(1, (1, 16, 16))


class Copyist(Painter):
    """Copies some image that it was trained on, whatever it is shown; z says which."""

    def __init__(self, data: Images, condition: Condition | None = None) -> None:
        super().__init__(condition or Image())
        self.data = data

    def generate(self, z: Tensor, code: Tensor) -> Tensor:
        share = torch.special.ndtr(z[:, 0].double())  # evenly spread over 0 to 1
        return to_floats(self.data.pixels[(share * len(self.data)).long()])


def unconditional(data: Images) -> Copyist:
    """A model that is shown nothing and draws images of ``data``."""
    return Copyist(data, NoCondition())

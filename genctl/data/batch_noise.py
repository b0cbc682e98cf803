"""The random numbers of a batch, drawn on the CPU so that they are the same on every device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.common.rng import generator


@dataclass(frozen=True)
class Drawn:
    """Numbers that a purpose asked for, and how they were drawn."""

    draw: Callable[..., Tensor]
    size: tuple[int, ...]
    numbers: Tensor  # on the device


class Draws:
    """Numbers for each image of a batch: a function of (seed, purpose, number of the batch).

    Args:
        seed: of the run.
        number: of the batch.
        count: images in the batch.
        device: where the numbers are wanted.
        rows: the images of the batch that are wanted; the others belong to other processes.
    """

    def __init__(
        self, seed: int, number: int, count: int, device: torch.device, rows: slice = slice(None)
    ) -> None:
        self.seed, self.number, self.count, self.device = seed, number, count, device
        self.rows = rows
        self._drawn: dict[str, Drawn] = {}

    def normal(self, purpose: str, *size: int) -> Tensor:
        """(B, *size) from N(0, I); always the same for one purpose."""
        return self._numbers(torch.randn, purpose, size)

    def uniform(self, purpose: str, *size: int) -> Tensor:
        """(B, *size) evenly from [0, 1); always the same for one purpose."""
        return self._numbers(torch.rand, purpose, size)

    def move_on(self, number: int) -> None:
        """Become the draws of another batch, in the memory that these ones lie in."""
        self.number = number
        for purpose, drawn in self._drawn.items():
            send(self._fresh(drawn.draw, purpose, drawn.size), drawn.numbers)

    def _numbers(self, draw: Callable[..., Tensor], purpose: str, size: tuple[int, ...]) -> Tensor:
        if purpose not in self._drawn:
            numbers = self._fresh(draw, purpose, size).to(self.device)
            self._drawn[purpose] = Drawn(draw, size, numbers)
        return self._drawn[purpose].numbers

    def _fresh(self, draw: Callable[..., Tensor], purpose: str, size: tuple[int, ...]) -> Tensor:
        random = generator(self.seed, purpose, self.number)
        return draw(self.count, *size, generator=random)[self.rows]


def send(host: Tensor, place: Tensor) -> None:
    """Fill a tensor of any device from one on the CPU, without waiting for the device."""
    if place.is_cuda:
        host = host.pin_memory()
    place.copy_(host, non_blocking=True)

"""The random numbers of a batch, generated on the CPU so that every device gets the same ones."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.common.rng import torch_rng


@dataclass(frozen=True)
class _Entry:
    """The numbers of one purpose, and how to draw those of another batch."""

    draw: Callable[..., Tensor]
    size: tuple[int, ...]
    numbers: Tensor  # on the device


class BatchNoise:
    """Random numbers for each image of a batch: a function of (seed, purpose, batch number).

    Args:
        seed: the run's seed.
        number: the number of the batch, from 0.
        batch_size: images in the whole batch.
        device: where the numbers are needed.
        rows: the rows of the batch that this process computes.
    """

    def __init__(
        self,
        seed: int,
        number: int,
        batch_size: int,
        device: torch.device,
        rows: slice = slice(None),
    ) -> None:
        self.seed, self.number, self.batch_size = seed, number, batch_size
        self.device, self.rows = device, rows
        self._entries: dict[str, _Entry] = {}

    def normal(self, purpose: str, *size: int) -> Tensor:
        """(B, *size) from N(0, I); the same numbers for the same purpose."""
        return self._numbers(torch.randn, purpose, size)

    def uniform(self, purpose: str, *size: int) -> Tensor:
        """(B, *size) from U[0, 1); the same numbers for the same purpose."""
        return self._numbers(torch.rand, purpose, size)

    def advance(self, number: int) -> None:
        """Replace the numbers by those of another batch, in the same memory."""
        self.number = number
        for purpose, entry in self._entries.items():
            copy_to_device(self._draw(entry.draw, purpose, entry.size), entry.numbers)

    def _numbers(self, draw: Callable[..., Tensor], purpose: str, size: tuple[int, ...]) -> Tensor:
        if purpose not in self._entries:
            numbers = self._draw(draw, purpose, size).to(self.device)
            self._entries[purpose] = _Entry(draw, size, numbers)
        return self._entries[purpose].numbers

    def _draw(self, draw: Callable[..., Tensor], purpose: str, size: tuple[int, ...]) -> Tensor:
        rng = torch_rng(self.seed, purpose, self.number)
        return draw(self.batch_size, *size, generator=rng)[self.rows]


def copy_to_device(source: Tensor, target: Tensor) -> None:
    """Copy a CPU tensor into a tensor on any device, without waiting for the device."""
    if target.is_cuda:
        source = source.pin_memory()
    target.copy_(source, non_blocking=True)

"""Batch k of seed s, as a pure function: nothing to save, nothing to skip when resuming."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from genctl.common.rng import generator
from genctl.conditions.base import Condition
from genctl.data.base import Images
from genctl.data.batch_noise import Draws

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """What one turn plays with."""

    noise: Tensor  # (B, z) from N(0, I)
    real: Tensor  # (B, C, H, W) in [-1, 1]
    shown: Tensor  # (B, C, H, W) in [-1, 1]: what the encoder looks at
    labels: Tensor  # (B,) int64
    classes: int  # how many there are; 0 for data without labels
    variant: str  # which of the objective's formulas holds
    progress: Tensor  # () float32: share of the run that is done, 0 to 1
    draws: Draws  # further random numbers, by purpose
    shared: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What ``compute`` gave when ``name`` was first asked for, in any turn with this batch."""
        if name not in self.shared:
            self.shared[name] = compute()
        result: T = self.shared[name]
        return result


class Batches:
    """All batches of a run.

    They go through the images in epochs, every epoch in an order of its own; a batch that reaches
    the end of one goes on in the next.

    Args:
        images: the training images.
        condition: what is shown.
        z_width: length of z.
        batch_size: images in a batch.
        seed: of the run.
        rows: the part of each batch that is wanted; the rest belongs to other processes.
    """

    def __init__(
        self,
        images: Images,
        condition: Condition,
        z_width: int,
        batch_size: int,
        seed: int,
        rows: slice = slice(None),
    ) -> None:
        self.images = images
        self.condition = condition
        self.z_width = z_width
        self.batch_size = batch_size
        self.seed = seed
        self.rows = rows
        self._order = lru_cache(maxsize=2)(self._draw_order)  # a batch may lie in two epochs

    def batch(self, number: int, variant: str = "", progress: float = 0.0) -> Batch:
        """Batch ``number`` of the run, played at ``progress`` (0 to 1)."""
        index = self.index(number).to(self.images.device)
        return self.compose(index, self.draws(number), variant, torch.tensor(progress))

    def compose(self, index: Tensor, draws: Draws, variant: str, progress: Tensor) -> Batch:
        """A batch from the indices (B,) of its images: arithmetic on the images' device only."""
        shown = self.condition.show(self.images, index, draws)
        return Batch(
            noise=draws.normal("noise", self.z_width),
            real=shown.real,
            shown=shown.image,
            labels=shown.labels,
            classes=len(self.images.classes),
            variant=variant,
            progress=progress,
            draws=draws,
        )

    def draws(self, number: int) -> Draws:
        """The random numbers of batch ``number``."""
        return Draws(self.seed, number, self.batch_size, self.images.device, self.rows)

    def index(self, number: int) -> Tensor:
        """Which images (B,) are shown in batch ``number``; on the CPU."""
        first, count = number * self.batch_size, len(self.images)
        last = first + self.batch_size
        parts = [
            self._order(epoch)[max(first - epoch * count, 0) : min(last - epoch * count, count)]
            for epoch in range(first // count, (last - 1) // count + 1)
        ]
        return torch.cat(parts)[self.rows]

    def _draw_order(self, epoch: int) -> Tensor:
        return torch.randperm(len(self.images), generator=generator(self.seed, "order", epoch))

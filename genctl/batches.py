"""Batch k of seed s, as a pure function: nothing to save, nothing to skip when resuming."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from genctl.conditions.base import Condition
from genctl.data.base import Images
from genctl.randomness import generator

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """What one turn plays with."""

    noise: Tensor  # (B, z) from N(0, I)
    real: Tensor  # (B, C, H, W) in [-1, 1]
    shown: Tensor  # (B, C, H, W) in [-1, 1]: what the encoder looks at
    labels: Tensor  # (B,) int64
    classes: int  # how many there are; 0 for data without labels
    step: int  # steps done before this one
    progress: float  # share of the run that is done, 0 to 1
    random: Callable[[str], torch.Generator]  # purpose -> generator for this batch
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
    """

    def __init__(
        self, images: Images, condition: Condition, z_width: int, batch_size: int, seed: int
    ) -> None:
        self.images = images
        self.condition = condition
        self.z_width = z_width
        self.batch_size = batch_size
        self.seed = seed
        self._order = lru_cache(maxsize=2)(self._draw_order)  # a batch may lie in two epochs

    def batch(self, number: int, step: int, progress: float) -> Batch:
        """Batch ``number`` of the run, played in ``step`` at ``progress`` (0 to 1)."""

        def random(purpose: str) -> torch.Generator:
            return generator(self.seed, purpose, number)

        index = self._index(number).to(self.images.device)
        shown = self.condition.show(self.images, index, random("partner"))
        noise = torch.randn(self.batch_size, self.z_width, generator=random("noise"))
        return Batch(
            noise=noise.to(self.images.device),
            real=shown.real,
            shown=shown.image,
            labels=shown.labels,
            classes=len(self.images.classes),
            step=step,
            progress=progress,
            random=random,
        )

    def _index(self, number: int) -> Tensor:
        first, count = number * self.batch_size, len(self.images)
        last = first + self.batch_size
        parts = [
            self._order(epoch)[max(first - epoch * count, 0) : min(last - epoch * count, count)]
            for epoch in range(first // count, (last - 1) // count + 1)
        ]
        return torch.cat(parts)

    def _draw_order(self, epoch: int) -> Tensor:
        return torch.randperm(len(self.images), generator=generator(self.seed, "order", epoch))

"""Batch k of seed s, as a pure function: nothing to save, nothing to skip when resuming."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from genctl.conditions.base import Condition
from genctl.data.base import Images
from genctl.randomness import generator


@dataclass(frozen=True)
class Batch:
    """What one turn plays with."""

    noise: Tensor  # (B, z) from N(0, I)
    real: Tensor  # (B, C, H, W) in [-1, 1]
    shown: Tensor  # (B, C, H, W) in [-1, 1]: what the encoder looks at
    labels: Tensor  # (B,) int64
    step: int  # steps done before this one
    progress: float  # share of the run that is done, 0 to 1
    random: Callable[[str], torch.Generator]  # purpose -> generator for this batch


class Batches:
    """All batches of a run.

    Each stream (each turn of an objective has its own) goes through the images in epochs, every
    epoch in an order of its own; a batch that reaches the end of one goes on in the next.
    """

    def __init__(
        self, images: Images, condition: Condition, z_width: int, batch_size: int, seed: int
    ) -> None:
        self.images = images
        self.condition = condition
        self.z_width = z_width
        self.batch_size = batch_size
        self.seed = seed
        # Two streams, each at most at the border of two epochs.
        self._order = lru_cache(maxsize=4)(self._draw_order)

    def batch(self, stream: str, number: int, step: int, progress: float) -> Batch:
        """Batch ``number`` of ``stream``."""

        def random(purpose: str) -> torch.Generator:
            return generator(self.seed, stream, purpose, number)

        index = self._index(stream, number).to(self.images.device)
        shown = self.condition.show(self.images, index, random("partner"))
        noise = torch.randn(self.batch_size, self.z_width, generator=random("noise"))
        return Batch(
            noise=noise.to(self.images.device),
            real=shown.real,
            shown=shown.image,
            labels=shown.labels,
            step=step,
            progress=progress,
            random=random,
        )

    def _index(self, stream: str, number: int) -> Tensor:
        first, count = number * self.batch_size, len(self.images)
        last = first + self.batch_size
        parts = [
            self._order(stream, epoch)[
                max(first - epoch * count, 0) : min(last - epoch * count, count)
            ]
            for epoch in range(first // count, (last - 1) // count + 1)
        ]
        return torch.cat(parts)

    def _draw_order(self, stream: str, epoch: int) -> Tensor:
        return torch.randperm(
            len(self.images), generator=generator(self.seed, stream, "order", epoch)
        )

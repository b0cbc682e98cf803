"""Batch k of seed s as a pure function: resuming has nothing to restore and nothing to skip."""

from functools import lru_cache

import torch
from torch import Tensor

from genctl.common.rng import torch_rng
from genctl.conditions.base import Condition
from genctl.data.base import Images
from genctl.data.batch import Batch
from genctl.data.batch_noise import BatchNoise


class Batches:
    """All batches of a run.

    Every epoch visits all images in a new order. A batch that reaches the end of an epoch
    continues in the next one, so all batches are full.

    Args:
        images: the training images.
        condition: chooses what the encoder and the critic see of them.
        z_dim: length of z.
        batch_size: images in a batch.
        seed: the run's seed.
        rows: the rows of each batch that this process computes.
    """

    def __init__(
        self,
        images: Images,
        condition: Condition,
        z_dim: int,
        batch_size: int,
        seed: int,
        rows: slice = slice(None),
    ) -> None:
        self.images = images
        self.condition = condition
        self.z_dim = z_dim
        self.batch_size = batch_size
        self.seed = seed
        self.rows = rows
        self._order = lru_cache(maxsize=2)(self._shuffle)  # a batch may span two epochs

    def batch(self, number: int, variant: str = "", progress: float = 0.0) -> Batch:
        """Batch ``number`` of the run, at ``progress`` (0 to 1)."""
        index = self.index(number).to(self.images.device)
        return self.assemble(index, self.noise(number), variant, torch.tensor(progress))

    def assemble(
        self,
        index: Tensor,
        noise: BatchNoise,
        variant: str,
        progress: Tensor,
        augment_strength: Tensor | None = None,
    ) -> Batch:
        """A batch from the indices (B,) of its images; computed on the images' device only."""
        chosen = self.condition.choose_images(self.images, index, noise)
        return Batch(
            z=noise.normal("noise", self.z_dim),
            real=chosen.real,
            condition_images=chosen.condition_images,
            labels=chosen.labels,
            num_classes=len(self.images.classes),
            variant=variant,
            progress=progress,
            noise=noise,
            caption=chosen.caption,
            augment_strength=augment_strength,
        )

    def noise(self, number: int) -> BatchNoise:
        """The random numbers of batch ``number``."""
        return BatchNoise(self.seed, number, self.batch_size, self.images.device, self.rows)

    def index(self, number: int) -> Tensor:
        """The indices (B,) of the images in batch ``number``; on the CPU."""
        epoch_images = self.images.epoch
        count = len(self.images) if epoch_images is None else len(epoch_images)
        first = number * self.batch_size
        last = first + self.batch_size
        parts = [
            self._order(epoch)[max(first - epoch * count, 0) : min(last - epoch * count, count)]
            for epoch in range(first // count, (last - 1) // count + 1)
        ]
        return torch.cat(parts)[self.rows]

    def _shuffle(self, epoch: int) -> Tensor:
        rng, visited = torch_rng(self.seed, "order", epoch), self.images.epoch
        if visited is None:
            return torch.randperm(len(self.images), generator=rng)
        return visited[torch.randperm(len(visited), generator=rng)]

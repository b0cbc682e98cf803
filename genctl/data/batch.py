"""The input of one update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.batch_noise import BatchNoise
    from genctl.data.captions import CaptionBatch


@dataclass(frozen=True)
class Batch:
    """Real images, the images that the encoder sees, their labels, and random numbers."""

    z: Tensor  # (B, z_dim) from N(0, I)
    real: Tensor  # (B, C, H, W) in [-1, 1]: what the critic sees as real
    condition_images: Tensor  # (B, C, H, W) in [-1, 1]: what the encoder sees
    labels: Tensor  # (B,) int64
    num_classes: int  # 0 for data without labels
    variant: str  # which variant of the objective's formulas to use: ``Objective.variant``
    progress: Tensor  # () float32: fraction of the run that is done, 0 to 1
    noise: BatchNoise  # further random numbers, by purpose
    caption: CaptionBatch | None = None  # of each image, for a condition that reads them
    augment_strength: Tensor | None = None  # () of the critic's augmentation; None without one

    @property
    def attribute_sizes(self) -> tuple[int, ...]:
        """How many values each known attribute of an image has; the class alone, without captions.

        The classifiers of encoder and critic have that many logits for each.
        """
        return (self.num_classes,) if self.caption is None else self.caption.sizes

    @property
    def attributes(self) -> Tensor:
        """The attributes (B, A) int64 of the real images."""
        return self.labels[:, None] if self.caption is None else self.caption.values

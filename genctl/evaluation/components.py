"""Judging images whose planes are images of their own: each plane is looked at alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.data.base import Images
from genctl.evaluation.fid import Gaussian
from genctl.evaluation.judge import Judge, Seen


def apart(pixels: Tensor) -> Tensor:
    """The planes (N * C, 1, H, W) of images (N, C, H, W), image by image."""
    return pixels.flatten(0, 1)[:, None]


def unstacked(images: Images, like: Images) -> Images:
    """The planes of ``images`` as images of their own, of the classes that ``like`` knows."""
    count, base = images.shape.channels, len(like.classes)
    digits = images.labels[:, None] // _places(count, base).to(images.device) % base
    return Images(apart(images.pixels), digits.flatten(), like.classes)


def spelled(digits: Tensor, base: int) -> Tensor:
    """The number (N,) that classes (N, planes) spell, the first plane in front."""
    return (digits * _places(digits.shape[1], base)).sum(dim=1)


@dataclass(frozen=True)
class JudgeOfPlanes(Judge):
    """The features of an image are those of its planes side by side."""

    planes: int

    @classmethod
    def of(cls, judge: Judge, planes: int) -> JudgeOfPlanes:
        """Let ``judge`` look at images of that many planes."""
        one = judge.training
        # The planes are drawn without regard to each other, so this is exact for all stacks.
        training = Gaussian(one.mean.repeat(planes), torch.block_diag(*[one.covariance] * planes))
        metadata = (judge.accuracy, judge.digest, judge.version)
        return cls(judge.network, training, *metadata, planes)

    def look(self, pixels: Tensor) -> Seen:
        """Look at uint8 pixels (N, planes, H, W)."""
        seen = super().look(apart(pixels))
        features = seen.features.unflatten(0, (-1, self.planes)).flatten(1)
        digits = seen.labels.unflatten(0, (-1, self.planes))
        return Seen(features, spelled(digits, self.network.head.out_features))


def _places(count: int, base: int) -> Tensor:
    """What each digit of a number counts for: 100, 10, 1."""
    return base ** torch.arange(count).flip(0)

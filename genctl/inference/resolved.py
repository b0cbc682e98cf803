"""Resolved conditions: each gives the codes and the z of its samples.

Sample i of a condition depends on (model, condition, seed, i) alone.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from genctl.common.rng import torch_rng
from genctl.conditions.base import Condition
from genctl.inference.sampling import BLOCK, fractions, from_blocks, sample_z
from genctl.networks.layers.normalize import normalize

Notify = Callable[[str], None]
"""Called with a message for the user."""
MIN_SINE = 1e-4  # of an angle that is told from 0 and from a half turn


@dataclass(frozen=True, kw_only=True, eq=False)
class ResolvedCondition(ABC):
    """One condition of a request."""

    is_walk: ClassVar[bool] = False
    """Whether the samples are steps from one end to another."""

    name: str
    z_dim: int
    picture: Tensor | None = None  # (C, H, W) uint8, as the encoder sees it
    label: int | None = None

    @abstractmethod
    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """Codes (count, code_dim) of the samples ``first``, ``first + 1``, …"""

    def z(self, seed: int, first: int, count: int) -> Tensor:
        """z (count, z_dim) of the samples ``first``, ``first + 1``, …"""
        return sample_z(seed, first, count, self.z_dim)

    def walk_through_z(self, steps: int) -> ResolvedCondition:
        """The same codes with z that move from one random point to another."""
        return ZWalk(
            name=self.name,
            z_dim=self.z_dim,
            picture=self.picture,
            label=self.label,
            condition=self,
            steps=steps,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassCode(ResolvedCondition):
    """The code of a class. All classes share their z, so that a grid shows one z per column."""

    code: Tensor  # (code_dim,)

    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """The code of the class."""
        return self.code.expand(count, -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class CaptionCode(ClassCode):
    """The code of a caption. All captions share their z, so that a column shows what words do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageCode(ResolvedCondition):
    """The code of one image, whose samples have z of their own.

    With shared z, thousands of images with one sample each would all have the same z.
    """

    code: Tensor  # (code_dim,)

    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """The code of the image."""
        return self.code.expand(count, -1)

    def z(self, seed: int, first: int, count: int) -> Tensor:
        """z from a seed that the code is mixed into."""
        # Rounded, because the last bits of a code depend on the device.
        rounded = (self.code * 16).round().int().numpy()
        digest = hashlib.sha256(rounded.tobytes()).hexdigest()
        return sample_z(seed, first, count, self.z_dim, digest)


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomCodes(ResolvedCondition):
    """A random code for every sample."""

    condition: Condition
    training_codes: Tensor  # (M, code_dim)

    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """Random codes."""

        def block(number: int) -> Tensor:
            rng = torch_rng(seed, "code", number)
            return self.condition.random_codes(self.training_codes, BLOCK, rng)

        return from_blocks(block, first, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class CodeMix(ResolvedCondition):
    """Codes from one condition to another in ``steps``, all with one z."""

    is_walk = True

    start: ResolvedCondition
    end: ResolvedCondition
    steps: int

    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """Codes on the sphere between the two ends."""
        start, end = self.start.codes(seed, 0, 1), self.end.codes(seed, 0, 1)
        return normalize(torch.lerp(start, end, fractions(first, count, self.steps)))

    def z(self, seed: int, first: int, count: int) -> Tensor:
        """The z of sample 0 for all."""
        return sample_z(seed, 0, 1, self.z_dim).expand(count, -1)

    def walk_through_z(self, steps: int) -> ResolvedCondition:
        """The mix itself: it moves already."""
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class ZArc(ResolvedCondition):
    """The codes of another condition, with z on the arc between two given ones in ``steps``."""

    is_walk = True

    condition: ResolvedCondition
    start: Tensor  # (z_dim,)
    end: Tensor  # (z_dim,)
    steps: int

    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """The codes of the condition."""
        return self.condition.codes(seed, first, count)

    def z(self, seed: int, first: int, count: int) -> Tensor:
        """Spherical linear interpolation (Shoemake 1985); a straight line where z are parallel."""
        fraction = fractions(first, count, self.steps)
        angle = torch.arccos(torch.cosine_similarity(self.start, self.end, dim=0).clamp(-1, 1))
        if angle.sin() < MIN_SINE:
            return torch.lerp(self.start, self.end, fraction)
        start, end = torch.sin((1 - fraction) * angle), torch.sin(fraction * angle)
        arc: Tensor = (start * self.start + end * self.end) / angle.sin()
        return arc


@dataclass(frozen=True, kw_only=True, eq=False)
class ZWalk(ResolvedCondition):
    """The codes of another condition, with z from one random point to another in ``steps``."""

    is_walk = True

    condition: ResolvedCondition
    steps: int

    def codes(self, seed: int, first: int, count: int) -> Tensor:
        """The codes of the condition."""
        return self.condition.codes(seed, first, count)

    def z(self, seed: int, first: int, count: int) -> Tensor:
        """z on a quarter of a circle, which keeps its length about that of a normal z."""
        start, end = sample_z(seed, 0, 2, self.z_dim)
        angle = math.pi / 2 * fractions(first, count, self.steps)
        walk: Tensor = torch.cos(angle) * start + torch.sin(angle) * end
        return walk

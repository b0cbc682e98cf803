"""Everything that the samples of a model are held against, measured once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.data.base import Images, Split
from genctl.evaluation.agreement import agreement
from genctl.evaluation.components import apart
from genctl.evaluation.copies import copy_rate
from genctl.evaluation.diversity import diversity_ratio
from genctl.evaluation.drawn import choose
from genctl.evaluation.judge import Judge
from genctl.evaluation.modes import modes
from genctl.evaluation.reference import MAX_NEIGHBOURS, Reference, closeness_by_class, spreads

MAX_COMPARED = 2000  # images that are compared with every other one

Scores = dict[str, float]


@dataclass(frozen=True)
class Cloud:
    """Images as they are measured; each was asked to be, or is, of a class."""

    pixels: Tensor  # (N, C, H, W) uint8
    features: Tensor  # (N, d) float64
    seen: Tensor  # (N,) int64: the classes that the judge sees
    asked: Tensor  # (N,) int64: the classes that they should be of; else those seen


class Bench:
    """Everything real that the samples of a model are held against."""

    def __init__(
        self,
        data: Images,
        held_out: Images,
        judge: Judge,
        n: int,
        against: Split = "train",
        conditional: bool = True,
        features: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.data, self.held_out, self.judge = data, held_out, judge
        self.features, self.conditional = features, conditional
        self.classes = len(data.classes)
        self.n = n
        # The training images' Gaussian is known for all of them; that of a few is not as exact.
        whole = judge.training if against == "train" and features is None else None
        # Where no class is compared either, the others would only be looked at.
        spared = whole is not None and data.components is not None
        self.against = self._real(against, min(n, MAX_NEIGHBOURS) if spared else n)
        self.reference = Reference.of(self.against.features, whole)
        self.spreads = self._spreads(against)
        self.real, self.real_by_class = self._measure_real(
            "test" if against == "train" else "train"
        )

    def look(self, pixels: Tensor, asked: Tensor | None = None) -> Cloud:
        """See pixels (N, C, H, W) with the chosen eyes."""
        seen = self.judge.look(pixels)
        features = seen.features if self.features is None else self.features(pixels)
        return Cloud(pixels, features, seen.labels, seen.labels if asked is None else asked)

    def closeness(self, cloud: Cloud) -> tuple[Scores, list[Scores]]:
        """How close a cloud is to the real images, altogether and class by class."""
        by_class = self._closeness_by_class(cloud)
        for label, scores in enumerate(by_class):
            own = cloud.asked == label
            scores["share"] = float(own.double().mean())
            if self.conditional and own.any():
                scores["agreement"] = agreement(cloud.asked[own], cloud.seen[own])
        return self.reference.closeness(cloud.features), by_class

    def diversity(self, features: Tensor, labels: Tensor) -> float:
        """Compare the samples (conditions, samples, d) of conditions with their classes' images."""
        spread = self.spreads[labels if self.conditional else torch.zeros_like(labels)]
        known = spread.isfinite()
        return diversity_ratio(features[known], spread[known])

    def copies(self, pixels: Tensor) -> float:
        """The share of copies of training images; of planes, where those are what is known."""
        alone = pixels if self.data.components is None else apart(pixels)
        return copy_rate(alone[:MAX_COMPARED], self.data.judge_images.pixels.cpu())

    def _closeness_by_class(self, cloud: Cloud) -> list[Scores]:
        if self.data.components is not None:  # many combinations, with a few images each
            return [{} for _ in range(self.classes)]
        return closeness_by_class(
            self.against.features, self.against.asked, cloud.features, cloud.asked, self.classes
        )

    def _real(self, split: Split, count: int) -> Cloud:
        images = self.data if split == "train" else self.held_out
        index = choose(images, min(count, len(images)), split).to(images.device)
        return self.look(images.pixels[index], images.labels[index])

    def _spreads(self, split: Split) -> Tensor:
        """The mean distance (classes,) between real images of a class; of any, where none is asked.

        The number of images does not change it, so it is the same for every n.
        """
        cloud = self._real(split, MAX_COMPARED)
        asked = cloud.asked if self.conditional else torch.zeros_like(cloud.asked)
        return spreads(cloud.features, asked, self.classes)

    def _measure_real(self, split: Split) -> tuple[Scores, list[Scores]]:
        other = self._real(split, self.n)
        held_out = other if split == "test" else self._real("test", self.n)
        scores, by_class = self.closeness(other)
        scores |= modes(held_out.seen, self.data)
        if self.conditional:
            scores["agreement"] = agreement(held_out.asked, held_out.seen)
        scores["diversity"] = float((self._spreads(split) / self.spreads).nanmean())
        scores["copies"] = self.copies(held_out.pixels)
        return scores, by_class

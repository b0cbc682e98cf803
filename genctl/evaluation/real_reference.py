"""The real images that samples are compared with; everything about them is measured once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.data.base import Images, Split
from genctl.evaluation.fid import Gaussian, fit_gaussian, frechet_distance
from genctl.evaluation.judge import Judge, split_channels
from genctl.evaluation.neighbours import K, Neighbourhood, prdc
from genctl.evaluation.protocol import random_indices
from genctl.evaluation.scores import (
    agreement,
    class_spreads,
    copy_rate,
    diversity_ratio,
    mode_scores,
)

MAX_NEIGHBOURHOOD = 10_000  # images; the distances take quadratic time
MAX_COMPARED = 2000  # images whose copies or spreads are measured

Scores = dict[str, float]
Extractor = Callable[[Tensor], Tensor]
"""Pixels (N, C, H, W) uint8 -> features (N, d) float64."""


@dataclass(frozen=True)
class FeatureStatistics:
    """What is known about a set of features that others are compared with."""

    gaussian: Gaussian
    neighbourhood: Neighbourhood

    @classmethod
    def of(cls, features: Tensor, gaussian: Gaussian | None = None) -> FeatureStatistics:
        """Measure features (N, d); ``gaussian`` is that of more images, if it is known."""
        neighbourhood = Neighbourhood(features[:MAX_NEIGHBOURHOOD])
        return cls(gaussian or fit_gaussian(features), neighbourhood)

    def compare(self, features: Tensor) -> Scores:
        """FID, precision, recall, density and coverage of other features (M, d)."""
        distance = frechet_distance(self.gaussian, fit_gaussian(features))
        neighbourhood = Neighbourhood(features[:MAX_NEIGHBOURHOOD])
        return {"fid": distance, **prdc(self.neighbourhood, neighbourhood)}


@dataclass(frozen=True)
class FeatureSet:
    """Images, real or generated, with their features and classes."""

    pixels: Tensor  # (N, C, H, W) uint8
    features: Tensor  # (N, d) float64
    predicted: Tensor  # (N,) int64: the judge's classes
    labels: Tensor  # (N,) int64: true or requested classes; else those predicted


def compare_by_class(real: FeatureSet, other: FeatureSet, num_classes: int) -> list[Scores]:
    """The scores of each class alone; {} for a class with too few images."""
    scores = []
    for label in range(num_classes):
        ours, theirs = real.features[real.labels == label], other.features[other.labels == label]
        enough = min(len(ours), len(theirs)) > K
        scores.append(FeatureStatistics.of(ours).compare(theirs) if enough else {})
    return scores


class RealReference:
    """Real images, their scores, and the methods that compare samples with them.

    Args:
        train_images: the training images.
        test_images: the test images.
        judge: the judge of ``train_images``.
        n: how many images to compare, at most.
        against: the split to compare with. The scores of real images are those of the other one.
        conditional: whether each sample has a condition, and so an expected class.
        extractor: computes the features; by default the judge does.
    """

    def __init__(
        self,
        train_images: Images,
        test_images: Images,
        judge: Judge,
        n: int,
        against: Split = "train",
        conditional: bool = True,
        extractor: Extractor | None = None,
    ) -> None:
        self.train_images, self.test_images, self.judge = train_images, test_images, judge
        self.n, self.conditional, self.extractor = n, conditional, extractor
        self.num_classes = max(len(train_images.classes), 1)  # without classes all are of one
        # The Gaussian of all training images is more exact than that of n.
        known = judge.training if against == "train" and extractor is None else None
        # Then, if no classes are compared, the features are needed only for the neighbourhood.
        neighbours_only = known is not None and train_images.components is not None
        self.real = self._select(against, min(n, MAX_NEIGHBOURHOOD) if neighbours_only else n)
        self.statistics = FeatureStatistics.of(self.real.features, known)
        self.spreads = self._spreads(against)
        self.real_scores, self.real_scores_by_class = self._score_real(
            "test" if against == "train" else "train"
        )

    def measure(self, pixels: Tensor, labels: Tensor | None = None) -> FeatureSet:
        """Compute the features of pixels (N, C, H, W) uint8 of the classes ``labels`` (N,)."""
        output = self.judge.classify(pixels)
        features = output.features if self.extractor is None else self.extractor(pixels)
        predicted = output.labels
        return FeatureSet(pixels, features, predicted, predicted if labels is None else labels)

    def compare(self, images: FeatureSet) -> tuple[Scores, list[Scores]]:
        """FID, precision, recall, density and coverage; and per class, with share and agreement."""
        if self.train_images.components is None:
            by_class = compare_by_class(self.real, images, self.num_classes)
        else:  # very many classes, with a few images each
            by_class = [{} for _ in range(self.num_classes)]
        for label, scores in enumerate(by_class):
            own = images.labels == label
            scores["share"] = float(own.double().mean())
            if self.conditional and own.any():
                scores["agreement"] = agreement(images.labels[own], images.predicted[own])
        return self.statistics.compare(images.features), by_class

    def diversity(self, groups: Tensor, labels: Tensor) -> float:
        """How the samples of one condition differ, relative to the real images of its class.

        Args:
            groups: features (conditions, samples, d).
            labels: the class (conditions,) of each condition.
        """
        spreads = self.spreads[labels if self.conditional else torch.zeros_like(labels)]
        known = spreads.isfinite()
        return diversity_ratio(groups[known], spreads[known])

    def copies(self, pixels: Tensor) -> float:
        """The share of copies of training images; of stacked images, channel by channel."""
        single = pixels if self.train_images.components is None else split_channels(pixels)
        return copy_rate(single[:MAX_COMPARED], self.train_images.judge_images.pixels)

    def _select(self, split: Split, count: int) -> FeatureSet:
        images = self.train_images if split == "train" else self.test_images
        index = random_indices(images, min(count, len(images)), split).to(images.device)
        return self.measure(images.pixels[index], images.labels[index])

    def _spreads(self, split: Split) -> Tensor:
        """The mean distance between two real images of each class, or of any without conditions.

        It does not depend on the number of images, so all ``n`` use the same ones.
        """
        images = self._select(split, MAX_COMPARED)
        labels = images.labels if self.conditional else torch.zeros_like(images.labels)
        return class_spreads(images.features, labels, self.num_classes)

    def _score_real(self, split: Split) -> tuple[Scores, list[Scores]]:
        other = self._select(split, self.n)
        test = other if split == "test" else self._select("test", self.n)
        scores, by_class = self.compare(other)
        scores |= mode_scores(test.predicted, self.train_images)
        if self.conditional:
            scores["agreement"] = agreement(test.labels, test.predicted)
        scores["diversity"] = float((self._spreads(split) / self.spreads).nanmean())
        scores["copies"] = self.copies(test.pixels)
        return scores, by_class

"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

A sample is good if it lies in the ball around a real image that reaches to its k-th neighbour.
For equal distributions these are not 1: coverage tends to 1 - 2^-k, and precision and recall
depend on the dimension. So each is worth something only beside its value for real images.
"""

from __future__ import annotations

import torch
from torch import Tensor

K = 5
ROWS = 1000  # of a matrix of distances that are in memory at a time


class Neighbourhood:
    """A cloud of features (N, d) with the distance (N,) of each to its k-th neighbour."""

    def __init__(self, features: Tensor, k: int = K) -> None:
        if len(features) <= k:
            raise ValueError(f"{len(features)} images have no {k} neighbours each")
        self.features, self.k = features.double(), k
        # The nearest to each is itself. Eight times as fast as kthvalue.
        self.radii = torch.cat(
            [
                _distances(rows, self.features).topk(k + 1, largest=False).values.amax(dim=1)
                for rows in self.features.split(ROWS)
            ]
        )

    def __len__(self) -> int:
        return len(self.features)


def prdc(real: Neighbourhood, fake: Neighbourhood) -> dict[str, float]:
    """Precision, recall, density and coverage of ``fake``; give both the same number of images."""
    inside = torch.zeros(len(fake), dtype=torch.int64)  # real balls that each fake lies in
    recalled, covered = [], []
    for rows, radii in zip(real.features.split(ROWS), real.radii.split(ROWS), strict=True):
        distances = _distances(rows, fake.features)
        hits = distances < radii[:, None]
        inside += hits.sum(dim=0)
        covered.append(hits.any(dim=1))
        recalled.append((distances < fake.radii).any(dim=1))
    return {
        "precision": float((inside > 0).double().mean()),
        "recall": float(torch.cat(recalled).double().mean()),
        "density": float(inside.double().mean() / real.k),
        "coverage": float(torch.cat(covered).double().mean()),
    }


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean distances (N, M)."""
    return torch.cdist(one, other, compute_mode="use_mm_for_euclid_dist")

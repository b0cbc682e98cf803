"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

A generated image counts as realistic if it lies in the ball around a real image that reaches to
that image's k-th neighbour. For equal distributions the scores are not 1: coverage tends to
1 - 2^-k, and precision and recall depend on the dimension. So each one means something only next
to its value for real images.
"""

from __future__ import annotations

import torch
from torch import Tensor

K = 5
CHUNK = 1000  # rows of the distance matrix that are in memory at a time


class Neighbourhood:
    """Features (N, d) and the distance (N,) of each to its k-th neighbour.

    Raises:
        ValueError: there are k features or fewer.
    """

    def __init__(self, features: Tensor, k: int = K) -> None:
        if len(features) <= k:
            raise ValueError(f"{len(features)} images are too few for {k} neighbours each")
        self.features, self.k = features.double(), k
        # k + 1, since the nearest to each is itself. topk is eight times as fast as kthvalue.
        self.radii = torch.cat(
            [
                _distances(rows, self.features).topk(k + 1, largest=False).values.amax(dim=1)
                for rows in self.features.split(CHUNK)
            ]
        )

    def __len__(self) -> int:
        return len(self.features)


def prdc(real: Neighbourhood, fake: Neighbourhood) -> dict[str, float]:
    """Precision, recall, density and coverage of as many fake images as real ones."""
    inside = torch.zeros(len(fake), dtype=torch.int64)  # in how many real balls each fake lies
    recalled, covered = [], []
    for rows, radii in zip(real.features.split(CHUNK), real.radii.split(CHUNK), strict=True):
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


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances (N, M)."""
    return torch.cdist(first, second, compute_mode="use_mm_for_euclid_dist")

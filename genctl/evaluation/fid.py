"""The Fréchet distance between two clouds of features: Heusel et al. 2017, equation 6."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """The mean (d,) and the covariance (d, d) of a cloud."""

    mean: Tensor
    covariance: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """Read both off features (N, d), N at least 2, in float64."""
    features = features.double()
    centred = features - features.mean(dim=0)
    return Gaussian(features.mean(dim=0), centred.T @ centred / (len(features) - 1))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), 0 for equals.

    The root's trace is taken from the eigenvalues of C1^½ C2 C1^½, which is symmetric, so that no
    imaginary part has to be thrown away. The value grows as the number of images falls: compare
    only what was measured with the same number.
    """
    values, vectors = torch.linalg.eigh(one.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    inner = torch.linalg.eigvalsh(root @ other.covariance @ root).clamp(min=0).sqrt().sum()
    spread = one.covariance.trace() + other.covariance.trace() - 2 * inner
    distance = (one.mean - other.mean).square().sum() + spread
    return max(float(distance), 0.0)

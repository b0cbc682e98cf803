"""The Fréchet distance between two sets of features: Heusel et al. 2017, equation 6."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """The mean and the covariance of features."""

    mean: Tensor  # (d,) float64
    covariance: Tensor  # (d, d) float64


def fit_gaussian(features: Tensor) -> Gaussian:
    """The mean and the unbiased covariance of features (N, d), N at least 2."""
    features = features.double()
    centred = features - features.mean(dim=0)
    return Gaussian(features.mean(dim=0), centred.T @ centred / (len(features) - 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), 0 for equal Gaussians.

    The trace of the root is taken from the eigenvalues of C1^½ C2 C1^½, which is symmetric, so
    there is no imaginary part to discard. The distance grows as the number of images falls, so
    only values with the same number compare.
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    inner = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp(min=0).sqrt().sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * inner
    distance = (first.mean - second.mean).square().sum() + spread
    return max(float(distance), 0.0)

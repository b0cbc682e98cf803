"""Do different z give different images? The spread of one condition's samples, beside a class's."""

import torch
from torch import Tensor


def mean_distance(features: Tensor) -> Tensor:
    """The mean distance (...) between two different rows of features (..., N, d), N at least 2."""
    count = features.shape[-2]
    # Exact where rows coincide, which is the very thing to be found out.
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.sum(dim=(-2, -1)) / (count * (count - 1))


def diversity_ratio(groups: Tensor, class_spread: Tensor) -> float:
    """1 if the samples of a condition differ as the real images of its class do, 0 if not at all.

    Args:
        groups: features (conditions, samples, d) of samples that differ in z alone.
        class_spread: the mean distance (conditions,) between real images of each one's class.
    """
    return float((mean_distance(groups) / class_spread).mean())

"""The small formulas: agreement, diversity, copies and modes."""

from __future__ import annotations

import torch
from torch import Tensor

from genctl.data.base import Images

COPY_RATIO = 1 / 3
CHUNK = 500  # rows of the distance matrix that are in memory at a time
MAX_SPREAD_IMAGES = 1000  # of a class, whose distances to each other are averaged


def agreement(expected: Tensor, predicted: Tensor) -> float:
    """The share of samples whose predicted class (N,) is the expected one (N,)."""
    return float((expected == predicted).double().mean())


def class_shares(labels: Tensor, num_classes: int) -> Tensor:
    """The share (num_classes,) of each class among ``labels`` (N,)."""
    return labels.bincount(minlength=num_classes).double() / len(labels)


# -- diversity ------------------------------------------------------------------------------------


def mean_distance(features: Tensor) -> Tensor:
    """The mean distance (...) between two different rows of features (..., N, d), N at least 2."""
    count = features.shape[-2]
    # The exact mode gives 0 for equal rows, which is what a collapsed model generates.
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.sum(dim=(-2, -1)) / (count * (count - 1))


def class_spreads(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The mean distance (num_classes,) between two images of a class; NaN for fewer than two.

    Args:
        features: (N, d).
        labels: (N,).
        num_classes: the number of classes.
    """
    spreads = []
    for label in range(num_classes):
        own = features[labels == label][:MAX_SPREAD_IMAGES]
        spreads.append(mean_distance(own) if len(own) > 1 else torch.tensor(torch.nan).double())
    return torch.stack(spreads)


def diversity_ratio(groups: Tensor, spreads: Tensor) -> float:
    """1 if the samples of a condition differ as the real images of its class do, 0 if not at all.

    Args:
        groups: features (conditions, samples, d) of samples that differ in z alone.
        spreads: the mean distance (conditions,) between real images of each condition's class.
    """
    return float((mean_distance(groups) / spreads).mean())


# -- copies ---------------------------------------------------------------------------------------


def copy_rate(pixels: Tensor, training_pixels: Tensor) -> float:
    """The share of ``pixels`` (N, C, H, W) that copy one of ``training_pixels`` (M, C, H, W).

    A copy's nearest training image is closer than a third of the distance to the second nearest:
    Yoon et al. 2023, "Diffusion probabilistic models generalize when they fail to memorize".
    Measured in pixels (uint8), since a feature space would also find images of the same kind;
    computed where the training images are.
    """
    training = training_pixels.flatten(1).float()
    copied = []
    for rows in pixels.to(training.device).flatten(1).float().split(CHUNK):
        nearest = torch.cdist(rows, training).topk(2, dim=1, largest=False).indices  # (B, 2)
        # Near zero, cdist's fast distances are mostly rounding errors: compute these two exactly.
        exact = (rows[:, None] - training[nearest]).square().sum(dim=2).sqrt()
        exact = exact.sort(dim=1).values
        copied.append(exact[:, 0] < COPY_RATIO * exact[:, 1])
    return float(torch.cat(copied).double().mean())


# -- modes ----------------------------------------------------------------------------------------


def mode_scores(predicted: Tensor, images: Images) -> dict[str, float]:
    """For stacked images the number of modes, and their KL divergence from uniform ones; else {}.

    Metz et al. 2017, "Unrolled generative adversarial networks"; Lin et al. 2018, "PacGAN".

    Args:
        predicted: the judge's class (N,) of each sample; each combination of components is one.
        images: real images.
    """
    if images.components is None:
        return {}
    shares = class_shares(predicted, len(images.classes))
    present = shares[shares > 0]
    divergence = present @ (present * len(shares)).log()
    return {"modes": float(len(present)), "kl": float(divergence)}


def expected_kl(num_classes: int, num_samples: int) -> float:
    """The expected ``kl`` of a perfect generator: more than 0, as the samples are finitely many."""
    return (num_classes - 1) / (2 * num_samples)

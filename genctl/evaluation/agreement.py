"""Does a sample show what was asked for? As the judge sees it."""

from torch import Tensor


def agreement(asked: Tensor, seen: Tensor) -> float:
    """The share of samples whose class (N,) is the one asked for (N,)."""
    return float((asked == seen).double().mean())


def class_shares(labels: Tensor, classes: int) -> Tensor:
    """The share (classes,) of each class among ``labels`` (N,)."""
    return labels.bincount(minlength=classes).double() / len(labels)

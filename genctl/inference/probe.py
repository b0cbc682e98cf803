"""How well the class of an image can be read from its code."""

from __future__ import annotations

import torch
from torch import Tensor

NUM_NEIGHBOURS = 20
FOLDS = 5  # of the cross-validation
CHUNK = 1000  # rows of the distance matrix that are in memory at a time


def linear_probe(
    train_codes: Tensor, train_labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> float:
    """The test accuracy of logistic regression fitted to the training codes.

    Args:
        train_codes: (N, code_dim).
        train_labels: (N,).
        test_codes: (M, code_dim).
        test_labels: (M,).
    """
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(max_iter=1000)
    probe.fit(train_codes.double().numpy(), train_labels.numpy())
    return float(probe.score(test_codes.double().numpy(), test_labels.numpy()))


def cross_validated_probe(codes: Tensor, labels: Tensor) -> float | None:
    """The accuracy of ``linear_probe`` on codes (N, code_dim), as the mean of 5 stratified folds.

    None if there are fewer than two classes, or fewer than 5 images of a class.
    """
    from sklearn.model_selection import StratifiedKFold

    class_sizes = labels.unique(return_counts=True)[1]
    if len(class_sizes) < 2 or class_sizes.min() < FOLDS:
        return None
    accuracies = [
        linear_probe(codes[train], labels[train], codes[test], labels[test])
        for train, test in StratifiedKFold(FOLDS).split(codes.numpy(), labels.numpy())
    ]
    return sum(accuracies) / FOLDS


def nearest_neighbours(
    train_codes: Tensor, train_labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> float:
    """The accuracy of a vote among the 20 training codes that are nearest to each test code.

    The arguments are those of ``linear_probe``.
    """
    k = min(NUM_NEIGHBOURS, len(train_codes))
    correct = []
    for rows, expected in zip(test_codes.split(CHUNK), test_labels.split(CHUNK), strict=True):
        nearest = torch.cdist(rows, train_codes).topk(k, largest=False).indices
        correct.append(train_labels[nearest].mode(dim=1).values == expected)
    return float(torch.cat(correct).double().mean())

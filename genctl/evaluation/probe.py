"""How much a code knows: what a linear map, and what its neighbours, say of its class."""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOURS = 20
ROWS = 1000


def linear_probe(codes: Tensor, labels: Tensor, new: Tensor, new_labels: Tensor) -> float:
    """Fit logistic regression to codes (N, d) of known labels; its accuracy on new ones."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=1000).fit(codes.double().numpy(), labels.numpy())
    return float(fitted.score(new.double().numpy(), new_labels.numpy()))


def nearest_neighbours(codes: Tensor, labels: Tensor, new: Tensor, new_labels: Tensor) -> float:
    """The accuracy of a vote among the 20 nearest codes (N, d) of known labels."""
    right = []
    for rows, expected in zip(new.split(ROWS), new_labels.split(ROWS), strict=True):
        near = torch.cdist(rows, codes).topk(min(NEIGHBOURS, len(codes)), largest=False).indices
        right.append(labels[near].mode(dim=1).values == expected)
    return float(torch.cat(right).double().mean())

"""Real images to compare with: all that is measured on them is measured once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.evaluation.diversity import mean_distance
from genctl.evaluation.fid import Gaussian, frechet_distance, gaussian
from genctl.evaluation.neighbours import K, Neighbourhood, prdc

MAX_NEIGHBOURS = 10_000  # images whose neighbours are looked for; that takes their square
SPREAD_OVER = 1000  # images whose distances to each other are averaged


@dataclass(frozen=True)
class Reference:
    """What a cloud of real images is like."""

    gaussian: Gaussian
    neighbourhood: Neighbourhood

    @classmethod
    def of(cls, features: Tensor, whole: Gaussian | None = None) -> Reference:
        """Measure features (N, d); ``whole`` if the Gaussian of more images is known."""
        return cls(whole or gaussian(features), Neighbourhood(features[:MAX_NEIGHBOURS]))

    def closeness(self, features: Tensor) -> dict[str, float]:
        """FID, precision, recall, density and coverage of features (N, d) of other images."""
        distance = frechet_distance(self.gaussian, gaussian(features))
        neighbourhood = Neighbourhood(features[:MAX_NEIGHBOURS])
        return {"fid": distance, **prdc(self.neighbourhood, neighbourhood)}


def closeness_by_class(
    real: Tensor, labels: Tensor, other: Tensor, other_labels: Tensor, classes: int
) -> list[dict[str, float]]:
    """The closeness of each class (features (N, d) and labels (N,)); nothing for tiny ones."""
    found = []
    for label in range(classes):
        ours, theirs = real[labels == label], other[other_labels == label]
        enough = min(len(ours), len(theirs)) > K
        found.append(Reference.of(ours).closeness(theirs) if enough else {})
    return found


def spreads(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean distance (classes,) between features (N, d) of a class; NaN for a lonely one."""
    found = []
    for label in range(classes):
        own = features[labels == label][:SPREAD_OVER]
        found.append(mean_distance(own) if len(own) > 1 else torch.tensor(torch.nan).double())
    return torch.stack(found)

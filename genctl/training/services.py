"""What a trainer works with besides config, state and data: a budget, and those it talks to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from genctl.common import reporting as judge
from genctl.training.process_group import ALONE, Peers

if TYPE_CHECKING:
    import torch

    from genctl.common.signals import Requests
    from genctl.model import Model
    from genctl.training.trainer import Trainer


class Scorer(Protocol):
    """Who says how good the drawn images are."""

    def score(self, model: Model) -> dict[str, float]:
        """Scores by name, at least ``fid``; must leave all randomness of the run as it is."""


class Curves(Protocol):
    """Where scalars and grids go besides metrics.jsonl and samples/."""

    def write(self, images_seen: int, scalars: dict[str, float]) -> None:
        """Take the scalars of one line of metrics."""

    def show(self, images_seen: int, grid: torch.Tensor) -> None:
        """Take a grid of samples, (C, height, width) uint8."""


@dataclass(frozen=True)
class Budget:
    """When a run is over."""

    images: int
    seconds: float | None = None  # of all parts of the run together
    reserve: float = 0.0  # seconds that the last save will take

    def progress(self, images_seen: int, elapsed: float) -> float:
        """The share of the run that is done, 0 to 1."""
        share = images_seen / self.images
        if self.seconds is not None:
            share = max(share, elapsed / max(self.seconds - self.reserve, 1e-9))
        return min(share, 1.0)


class Listener(judge.Listener, Protocol):
    """Who is told how a run goes, the training of its judge included."""

    def trained(self, trainer: Trainer, budget: Budget) -> None:
        """Take note that a line of metrics was written."""


@dataclass(frozen=True)
class Surroundings:
    """Those that a trainer talks to."""

    precision: str
    requests: Requests
    curves: Curves
    scorer: Scorer | None
    listener: Listener
    peers: Peers = ALONE

"""How long-running work reports its progress; ``cli/reporters.py`` shows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

OnProgress = Callable[[float], None]
"""Called with the share of some work that is done, 0 to 1."""


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is, each time it writes a line of metrics."""

    share: float  # of the run that is done, 0 to 1
    images: int
    images_per_second: float
    seconds_left: float
    losses: Mapping[str, float]  # "update/term"
    scores: Mapping[str, float]  # empty where the run is not scored


class Reporter(Protocol):
    """Receives the messages and the progress of long-running work."""

    def info(self, text: str) -> None:
        """Report something worth knowing."""

    def warn(self, text: str) -> None:
        """Report something that the user should look at."""

    def progress(self, task: str, share: float) -> None:
        """Report the share of ``task`` that is done, 0 to 1."""

    def training(self, progress: TrainingProgress) -> None:
        """Report a line of metrics."""


class _Silent:
    """Reports nothing."""

    def info(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    def progress(self, task: str, share: float) -> None:
        """Say nothing."""

    def training(self, progress: TrainingProgress) -> None:
        """Say nothing."""


SILENT: Reporter = _Silent()
"""For callers who show no messages."""

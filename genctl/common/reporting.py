"""Who is told how judging goes."""

from typing import Protocol


class Listener(Protocol):
    """A terminal, a log, or nobody."""

    def say(self, text: str) -> None:
        """Something worth knowing."""

    def warn(self, text: str) -> None:
        """Something the user should look at."""

    def progress(self, doing: str, share: float) -> None:
        """The share of ``doing`` that is done, 0 to 1."""

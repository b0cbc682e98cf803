"""When a run is over."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """A number of images, and optionally a number of seconds."""

    images: int
    seconds: float | None = None  # for all parts of the run together
    reserve: float = 0.0  # seconds that the last save will take
    pause_at: int | None = None  # images after which the run pauses, its schedule unfinished

    def is_paused(self, images: int) -> bool:
        """Whether the run pauses after ``images``."""
        return self.pause_at is not None and images >= self.pause_at

    def seconds_left(self, elapsed: float) -> float:
        """The seconds left after ``elapsed``, those of the last save included."""
        return float("inf") if self.seconds is None else self.seconds - elapsed

    def progress(self, images: int, elapsed: float) -> float:
        """The share of the run that is done, 0 to 1, after ``images`` and ``elapsed`` seconds."""
        share = images / self.images
        if self.seconds is not None:
            share = max(share, elapsed / max(self.seconds - self.reserve, 1e-9))
        return min(share, 1.0)


def end_seconds(rehearsal: float) -> float:
    """The seconds to reserve for what follows the last step; its rehearsal took ``rehearsal``."""
    return 1.0 + 2 * rehearsal

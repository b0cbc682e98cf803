"""When a run is over."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """A number of images, and optionally a number of seconds."""

    images: int
    seconds: float | None = None  # for all parts of the run together
    reserve: float = 0.0  # seconds that the last save will take

    def progress(self, images: int, elapsed: float) -> float:
        """The share of the run that is done, 0 to 1, after ``images`` and ``elapsed`` seconds."""
        share = images / self.images
        if self.seconds is not None:
            share = max(share, elapsed / max(self.seconds - self.reserve, 1e-9))
        return min(share, 1.0)

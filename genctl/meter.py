"""Running means of the loss terms, kept on the device until somebody asks."""

import math

import torch
from torch import Tensor

from genctl.errors import Diverged


class Meter:
    """Sums by name, with how many values went into each."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, prefix: str, terms: dict[str, Tensor]) -> None:
        """Add scalars, each under ``prefix/name``."""
        for name, value in terms.items():
            key = f"{prefix}/{name}"
            # Apple's GPUs have no float64.
            exact = torch.float32 if value.device.type == "mps" else torch.float64
            value = value.detach().to(exact)
            self.sums[key] = self.sums[key] + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def require_finite(self) -> None:
        """Refuse to go on once any sum is infinite or not a number.

        Raises:
            Diverged: naming the terms.
        """
        if not self.sums or bool(torch.isfinite(torch.stack(list(self.sums.values()))).all()):
            return
        names = [key for key, value in self.sums.items() if not math.isfinite(value)]
        raise Diverged(f"diverged: {', '.join(names)} became infinite or not a number")

    def means(self) -> dict[str, float]:
        """The means since the last call, and start anew."""
        means = {key: float(value) / self.counts[key] for key, value in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """What a checkpoint keeps, so that the next line of metrics is what it would have been."""
        return dict(self.sums), dict(self.counts)

    def restore(self, sums: dict[str, Tensor], counts: dict[str, int]) -> None:
        """Go on from what ``state`` gave."""
        self.sums, self.counts = dict(sums), dict(counts)

"""Running means of the loss terms, kept on the device until somebody asks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from genctl.common.errors import Diverged


class Meter:
    """Sums by name, with how many values went into each."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self.names: list[str] = []
        self.sums: Tensor | None = None  # one for each name
        self.counts: Counter[str] = Counter()
        self._places = cache(self._find_places)

    def add(self, names: Sequence[str], values: Tensor) -> None:
        """Add a vector of values, one for each of ``names``; a name may stand there twice."""
        # Apple's GPUs have no float64.
        exact = torch.float32 if values.device.type == "mps" else torch.float64
        places = self._places(tuple(names), values.device, exact)
        assert self.sums is not None
        self.sums.index_add_(0, places, values.detach().to(exact))
        self.counts.update(names)

    def _find_places(
        self, names: tuple[str, ...], device: torch.device, exact: torch.dtype
    ) -> Tensor:
        """Where the sums of ``names`` are kept, with room made for new ones."""
        new = [name for name in dict.fromkeys(names) if name not in self.names]
        self.names += new
        if self.sums is None:
            self.sums = torch.zeros(0, dtype=exact, device=device)
        self.sums = torch.cat([self.sums, self.sums.new_zeros(len(new))])
        return torch.tensor([self.names.index(name) for name in names], device=device)

    def require_finite(self) -> None:
        """Refuse to go on once any sum is infinite or not a number.

        Raises:
            Diverged: naming the terms.
        """
        if self.sums is None:
            return
        finite = torch.isfinite(self.sums)
        if not finite.all():
            names = [name for name, is_finite in zip(self.names, finite, strict=True)
                     if not is_finite]  # fmt: skip
            raise Diverged(f"diverged: {', '.join(names)} became infinite or not a number")

    def means(self) -> dict[str, float]:
        """The means since the last call, and start anew."""
        sums = [] if self.sums is None else self.sums.tolist()
        means = {
            name: sum_ / self.counts[name] for name, sum_ in zip(self.names, sums, strict=True)
        }
        self.forget()
        return means

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """What a checkpoint keeps, so that the next line of metrics is what it would have been."""
        sums = [] if self.sums is None else self.sums.clone().unbind()
        return dict(zip(self.names, sums, strict=True)), dict(self.counts)

    def restore(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """Go on from what ``state`` gave."""
        self.forget()
        self.names = list(sums)
        self.sums = torch.stack(list(sums.values())) if sums else None
        self.counts = Counter(counts)

"""Running means of losses, kept on the device until they are logged."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from genctl.common.errors import Diverged


class RunningMeans:
    """A sum for each name, and how many values it consists of."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self.names: list[str] = []
        self.sums: Tensor | None = None  # one for each name
        self.counts: Counter[str] = Counter()
        self._indices = cache(self._find_indices)

    def add(self, names: Sequence[str], values: Tensor) -> None:
        """Add a vector of values, one for each of ``names``; a name may occur several times."""
        # Apple's GPUs have no float64.
        dtype = torch.float32 if values.device.type == "mps" else torch.float64
        rounds = self._indices(tuple(names), values.device, dtype)
        assert self.sums is not None
        exact = values.detach().to(dtype)
        for positions, indices in rounds:
            self.sums.index_add_(0, indices, exact[positions])
        self.counts.update(names)

    def _find_indices(
        self, names: tuple[str, ...], device: torch.device, dtype: torch.dtype
    ) -> list[tuple[Tensor, Tensor]]:
        """Positions in ``names`` and the indices of their sums; sums for new names are appended.

        A name that occurs several times is added in several rounds: on a GPU the order of additions
        to one sum in one round would be left to chance.
        """
        new = [name for name in dict.fromkeys(names) if name not in self.names]
        self.names += new
        if self.sums is None:
            self.sums = torch.zeros(0, dtype=dtype, device=device)
        self.sums = torch.cat([self.sums, self.sums.new_zeros(len(new))])
        rounds: dict[int, list[tuple[int, int]]] = {}
        occurrences: Counter[str] = Counter()
        for position, name in enumerate(names):
            pair = (position, self.names.index(name))
            rounds.setdefault(occurrences[name], []).append(pair)
            occurrences[name] += 1
        tensors = (torch.tensor(pairs, device=device).unbind(1) for pairs in rounds.values())
        return [(positions, indices) for positions, indices in tensors]

    def require_finite(self) -> None:
        """Refuse to go on once a sum is infinite or NaN.

        Raises:
            Diverged: with the names of the losses.
        """
        if self.sums is None:
            return
        finite = torch.isfinite(self.sums)
        if not finite.all():
            names = [name for name, ok in zip(self.names, finite, strict=True) if not ok]
            raise Diverged(f"diverged: {', '.join(names)} became infinite or NaN")

    def pop(self) -> dict[str, float]:
        """The means since the last call."""
        sums = [] if self.sums is None else self.sums.tolist()
        means = {
            name: total / self.counts[name] for name, total in zip(self.names, sums, strict=True)
        }
        self.reset()
        return means

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """The sums and counts, for a checkpoint."""
        sums = [] if self.sums is None else self.sums.clone().unbind()
        return dict(zip(self.names, sums, strict=True)), dict(self.counts)

    def restore(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """Continue from what ``state`` returned."""
        self.reset()
        self.names = list(sums)
        self.sums = torch.stack(list(sums.values())) if sums else None
        self.counts = Counter(counts)

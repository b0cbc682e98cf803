"""What engines have in common that record a step once and replay it ever after.

What differs from step to step lies in tensors that are filled anew before each replay. A test
replays recorded steps beside eager ones, so nothing that changes can hide in Python.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable

from genctl.common.errors import Unavailable
from genctl.training.engines.base import Engine
from genctl.training.step import Inputs, Moment, Step, Terms


class CannotRecord(Unavailable):
    """The step does something that cannot be recorded here; nothing of it was done."""


WARM_UP = 3
"""Steps of each variant that are computed eagerly, so that everything has settled that is only
made when it is first used: random numbers, tables, plans of libraries."""

Replay = Callable[[], Terms]


class Recorded(Engine):
    """Records each variant of a step after a few eager steps of it."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.inputs: Inputs | None = None
        self.seen: Counter[str] = Counter()
        self.replays: dict[str, Replay] = {}

    def take(self, moment: Moment) -> Terms:
        """Fill the inputs; then compute, record or replay."""
        variant, inputs = self.step.variant(moment), self._inputs(moment)
        self.seen[variant] += 1
        if variant in self.replays:
            return self.replays[variant]()
        if self.seen[variant] <= WARM_UP:
            return self.step.compute(variant, inputs)
        terms, self.replays[variant] = self.record(lambda: self.step.compute(variant, inputs))
        return terms

    @abstractmethod
    def record(self, work: Callable[[], Terms]) -> tuple[Terms, Replay]:
        """Do the work once, and return what came of it and how to do it again.

        Raises:
            CannotRecord: nothing was done.
        """

    def _inputs(self, moment: Moment) -> Inputs:
        """The inputs at ``moment``, always in the same memory."""
        if self.inputs is None:
            self.inputs = self.step.inputs(moment)
        else:
            self.step.move_on(self.inputs, moment)
        return self.inputs

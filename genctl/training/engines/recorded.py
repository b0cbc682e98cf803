"""Recording a step once and replaying it: what such engines have in common.

Whatever differs from step to step is in tensors that are refilled before each replay. A test
compares replayed steps with eager ones, so that nothing that changes can hide in Python.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable

from genctl.common.errors import Unavailable
from genctl.training.engines.base import Engine
from genctl.training.step import Position, Step, StepInputs, StepLosses


class CannotRecord(Unavailable):
    """The step does something that cannot be recorded here; nothing was computed."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"training.engine: {kind} cannot record this step: {reason}; use eager")
        self.reason = reason


WARMUP_STEPS = 3
"""Eager steps of each variant before it is recorded: buffers and library plans are created at
their first use, which must not be part of a recording."""

Replay = Callable[[], StepLosses]


class Recorded(Engine):
    """Records each variant of a step after a few eager steps of it."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.inputs: StepInputs | None = None
        self.steps_taken: Counter[str] = Counter()
        self.replays: dict[str, Replay] = {}

    def run(self, position: Position) -> StepLosses:
        """Refill the inputs; then compute, record or replay."""
        variant, inputs = self.step.variant(position), self._inputs(position)
        self.steps_taken[variant] += 1
        if variant in self.replays:
            return self.replays[variant]()
        if self.steps_taken[variant] <= WARMUP_STEPS:
            return self.step.compute(variant, inputs)
        losses, self.replays[variant] = self.record(lambda: self.step.compute(variant, inputs))
        return losses

    @abstractmethod
    def record(self, compute: Callable[[], StepLosses]) -> tuple[StepLosses, Replay]:
        """Compute once; returns the losses and a function that computes again.

        Raises:
            CannotRecord: nothing was computed.
        """

    def _inputs(self, position: Position) -> StepInputs:
        """The inputs of the step at ``position``, always in the same memory."""
        if self.inputs is None:
            self.inputs = self.step.inputs(position)
        else:
            self.step.refill(self.inputs, position)
        return self.inputs

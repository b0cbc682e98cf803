"""One operation after the other."""

from genctl.training.engines.base import Engine
from genctl.training.step import Position, StepLosses


class Eager(Engine):
    """Works on every device, without preparation."""

    kind = "eager"

    def run(self, position: Position) -> StepLosses:
        """Compute the step."""
        step = self.step
        return step.compute(step.variant(position), step.inputs(position))

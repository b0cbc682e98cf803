"""One operation after the other."""

from genctl.engine.base import Engine
from genctl.engine.step import Moment, Terms


class Eager(Engine):
    """Runs anywhere, at once."""

    def take(self, moment: Moment) -> Terms:
        """Compute it."""
        step = self.step
        return step.compute(step.variant(moment), step.inputs(moment))

"""One operation after the other."""

from genctl.training.engines.base import Engine
from genctl.training.step import Moment, Terms


class Eager(Engine):
    """Runs anywhere, at once."""

    def take(self, moment: Moment) -> Terms:
        """Compute it."""
        step = self.step
        return step.compute(step.variant(moment), step.inputs(moment))

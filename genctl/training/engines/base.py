"""The seam of an engine."""

from abc import ABC, abstractmethod

from genctl.training.step import Moment, Step, Terms


class Engine(ABC):
    """Executes steps; what they compute is none of its business."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @abstractmethod
    def take(self, moment: Moment) -> Terms:
        """Take the step at ``moment``; moments come one after the other."""

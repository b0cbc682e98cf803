"""The interface of an engine."""

from abc import ABC, abstractmethod
from typing import ClassVar

from genctl.training.step import Position, Step, StepLosses


class Engine(ABC):
    """Executes steps. All engines compute the same."""

    kind: ClassVar[str]
    """The value of ``training.engine``."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @abstractmethod
    def run(self, position: Position) -> StepLosses:
        """Take the step at ``position``; positions follow each other."""

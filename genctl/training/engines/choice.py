"""Which engine executes the steps of a run."""

from __future__ import annotations

import torch

from genctl.common.errors import Unavailable
from genctl.common.reporting import Reporter
from genctl.training.engines.base import Engine
from genctl.training.engines.cuda_graph import CudaGraph
from genctl.training.engines.eager import Eager
from genctl.training.engines.proof import difference_from_eager
from genctl.training.engines.recorded import CannotRecord
from genctl.training.step import Position, Step, StepLosses


def auto_engine(device: torch.device) -> tuple[str, str]:
    """What ``training.engine: auto`` means on ``device``, and why."""
    if device.type == "cuda":
        return "cuda_graph", "replaying a recorded step keeps the GPU busy"
    return "eager", "CUDA graphs need a CUDA device"


def choose_engine(name: str, step: Step, reporter: Reporter) -> Engine:
    """The engine for ``training.engine``.

    Raises:
        Unavailable: this machine cannot run it.
    """
    # A recording cannot contain the communication between processes.
    distributed = step.group.size > 1
    if name == "cuda_graph":
        if distributed:
            raise Unavailable(
                f"training.engine: cuda_graph needs a single process, this run has "
                f"{step.group.size}; use eager"
            )
        if step.device.type != "cuda":
            raise Unavailable(
                f"training.engine: cuda_graph needs a CUDA device, this is {step.device.type}; "
                "use auto"
            )
        return CudaGraph(step)
    if name == "auto" and not distributed and auto_engine(step.device)[0] == "cuda_graph":
        return FallbackEngine(CudaGraph(step), reporter)
    return Eager(step)


class FallbackEngine(Engine):
    """Continues eagerly when an automatically chosen engine turns out not to work."""

    def __init__(self, engine: Engine, reporter: Reporter) -> None:
        super().__init__(engine.step)
        self.engine, self.reporter = engine, reporter

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The engine that works."""
        return self.engine.kind

    def prove(self, position: Position) -> None:
        """Take some steps from ``position`` on, and undo them: the engine must compute as eager.

        Takes about a second. The state is the same as before.
        """
        try:
            problem = difference_from_eager(self.engine, position)
        except CannotRecord as error:
            problem = error.reason
        if problem:
            self._continue_eagerly(problem)

    def run(self, position: Position) -> StepLosses:
        """Take the step with the engine that works."""
        try:
            return self.engine.run(position)
        except CannotRecord as error:
            self._continue_eagerly(error.reason)
            return self.engine.run(position)

    def _continue_eagerly(self, reason: str) -> None:
        self.reporter.warn(
            f"training.engine: {self.engine.kind} does not work here: {reason}; continuing "
            "eagerly, which is slower"
        )
        self.engine = Eager(self.step)

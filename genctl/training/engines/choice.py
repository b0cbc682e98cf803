"""Which engine executes the steps of a run."""

from __future__ import annotations

import shutil

import torch

from genctl.common.errors import Unavailable
from genctl.common.reporting import Listener
from genctl.training.engines.base import Engine
from genctl.training.engines.compiled import Compiled
from genctl.training.engines.cuda_graph import Graph
from genctl.training.engines.eager import Eager
from genctl.training.engines.recorded import CannotRecord
from genctl.training.step import Moment, Step, Terms

ENGINES: dict[str, type[Engine]] = {"eager": Eager, "compiled": Compiled, "graph": Graph}


def automatic_engine(device: torch.device) -> tuple[str, str]:
    """What ``training.engine: auto`` becomes, and why."""
    if device.type == "cuda":
        return "graph", "a recorded step keeps a GPU busy"
    return "eager", "on this device, compiling gains too little for what it takes"


def choose_engine(wish: str, step: Step, listener: Listener) -> Engine:
    """The engine that ``training.engine`` wishes for.

    Raises:
        Unavailable: this machine has no such engine.
    """
    together = step.peers.count > 1  # what processes exchange is no part of a recording
    if together and wish not in ("auto", "eager"):
        raise Unavailable(
            f"training.engine: {wish} serves one process, this run has {step.peers.count}; "
            "use eager"
        )
    if wish == "auto":
        name = "eager" if together else automatic_engine(step.device)[0]
        return Eager(step) if name == "eager" else Cautious(ENGINES[name](step), listener)
    if wish == "graph" and step.device.type != "cuda":
        raise Unavailable(
            f"training.engine: graph needs a CUDA device, this is {step.device.type}; use auto"
        )
    if wish == "compiled" and step.device.type == "cpu" and not shutil.which("g++"):
        raise Unavailable(
            "training.engine: compiled needs the compiler g++, which is not there; install it, or "
            "use auto"
        )
    return ENGINES[wish](step)


class Cautious(Engine):
    """Goes on eagerly where an engine that nobody asked for turns out not to work."""

    def __init__(self, engine: Engine, listener: Listener) -> None:
        super().__init__(engine.step)
        self.engine, self.listener = engine, listener

    def take(self, moment: Moment) -> Terms:
        """Take the step with the engine that works."""
        try:
            return self.engine.take(moment)
        except CannotRecord as error:
            self.listener.warn(f"going on without, which is slower: {error}")
            self.engine = Eager(self.step)
            return self.engine.take(moment)

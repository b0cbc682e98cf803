"""What all processes of a run but the first do: take the steps that the first one takes.

The first process is an ordinary trainer whose engine tells the others of every step. It alone
reads and writes the run directory, and so the others begin with the state that it gives them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from genctl.common.devices import memory_errors, quick_denormals
from genctl.common.errors import GenctlError, Unavailable
from genctl.common.reporting import Listener
from genctl.common.signals import Stopped
from genctl.config.config import Config
from genctl.config.loading import load_data
from genctl.model import Model, placed
from genctl.training.checkpoint import State
from genctl.training.engines.base import Engine
from genctl.training.engines.choice import choose_engine
from genctl.training.process_group import Peers, own_device
from genctl.training.step import Moment, Step, Terms
from genctl.training.sync_batchnorm import share_statistics

START, STEP, END = 0.0, 1.0, 2.0
PRECISIONS = ("fp32", "bf16")


def follow(config: Config, device: str, peers: Peers, listener: Listener) -> int:
    """Take part in a run; returns the exit code that the first process ends with."""
    with memory_errors(), quick_denormals():
        place = own_device(device)
        data, _ = load_data(config)
        state = State(config, placed(Model(config, len(data.classes)), place))
        heard, number, *_ = peers.hear()
        if heard == START:
            share_state(state, peers)
            state.model.train()
            step = Step(config, state, data.to(place), PRECISIONS[int(number)], peers)
            engine = choose_engine(config.training.engine, step, listener)
            heard, number, *more = peers.hear()
            while heard == STEP:
                engine.take(Moment(int(number), int(more[0]), more[1]))
                heard, number, *more = peers.hear()
        return int(number)


class Leading(Engine):
    """Tells the others of every step, then takes it with another engine."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.step)
        self.engine = engine

    def take(self, moment: Moment) -> Terms:
        """Take the step, together."""
        self.step.peers.tell(STEP, moment.step, moment.images, moment.progress)
        return self.engine.take(moment)


def leading(engine: Engine) -> Engine:
    """The engine, with the others following if there are any."""
    return Leading(engine) if engine.step.peers.count > 1 else engine


def begin(state: State, precision: str, peers: Peers) -> None:
    """Let all processes begin where the first one stands."""
    peers.tell(START, PRECISIONS.index(precision))
    share_state(state, peers)


def share_state(state: State, peers: Peers) -> None:
    """Give the others the first process's weights and optimizers; let BatchNorm see all rows."""
    peers.share(list(state.learned().values()))
    if peers.count > 1:
        share_statistics(state.model)


@contextmanager
def tell_the_end(peers: Peers) -> Iterator[None]:
    """Send the others home when the block ends, with the exit code that it means."""
    code = 1
    try:
        yield
        code = 0
    except GenctlError as error:
        code = error.exit_code
        raise
    except Stopped as stopped:
        code = 128 + stopped.number
        raise
    finally:
        with suppress(Unavailable):  # if they are gone, what ended the block tells why
            peers.tell(END, code)

"""Signals only raise a flag; the work looks at it where its state can be saved."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from genctl.errors import Interrupted

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Requests:
    """What the outside has asked for since the work began."""

    def __init__(self) -> None:
        self.ending: int | None = None  # the signal that asked for the end
        self.checkpoint = False  # SIGUSR1 asked for a checkpoint, and to go on

    def end(self, number: int, frame: FrameType | None) -> None:
        """Remember the first signal; at the second one leave at once."""
        if self.ending is not None:
            os._exit(128 + number)
        self.ending = number

    def save(self, number: int, frame: FrameType | None) -> None:
        """Remember that a checkpoint is wanted."""
        self.checkpoint = True

    def raise_if_ending(self, state: str) -> None:
        """End the work here if that was asked for; ``state`` says what is kept."""
        if self.ending is not None:
            name = signal.Signals(self.ending).name
            raise Interrupted(self.ending, f"interrupted by {name}: {state}")


@contextmanager
def listen() -> Iterator[Requests]:
    """Take signals as requests while the block runs."""
    requests = Requests()
    handlers = dict.fromkeys(ENDING, requests.end)
    if hasattr(signal, "SIGUSR1"):
        handlers[signal.SIGUSR1] = requests.save
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup asks for SIGHUP
    }
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Signals end the work: at once where nothing can be lost, else where its state can be saved."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from genctl.common.errors import Interrupted

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

MOMENT = 0.001  # seconds


class Stopped(BaseException):
    """A signal asked for the end; like KeyboardInterrupt, nothing takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def told(self, state: str) -> Interrupted:
        """The same for people; ``state`` says what is kept."""
        name = signal.Signals(self.number).name
        return Interrupted(
            self.number, f"interrupted by {name}: {state}; run the same command again to go on"
        )


class Requests:
    """What the outside has asked for since the work began."""

    def __init__(self) -> None:
        self.ending: int | None = None  # the signal that asked for the end
        self.checkpoint = False  # SIGUSR1 asked for a checkpoint, and to go on
        self._patient = False

    def end(self, number: int, frame: FrameType | None) -> None:
        """End the work, or only remember that it shall end; at the second signal leave at once."""
        if self.ending is not None:
            os._exit(128 + number)
        self.ending = number
        self.insist(number, frame)

    def insist(self, number: int, frame: FrameType | None) -> None:
        """End the work unless it asks by itself; amid an import a moment later.

        Half a package is of no use, and C drops what is raised there: torch's does, where it
        loads numpy, and goes on without it.
        """
        if self.ending is None or self._patient:
            return
        if hasattr(signal, "setitimer"):
            later = MOMENT if _is_importing(frame) else 0
            signal.setitimer(signal.ITIMER_REAL, later)  # 0 calls it off: soon nobody may hear it
            if later:
                return
        raise Stopped(self.ending)

    def save(self, number: int, frame: FrameType | None) -> None:
        """Remember that a checkpoint is wanted."""
        self.checkpoint = True

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Only remember signals: the block asks ``raise_if_ending`` where its state is saved."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def raise_if_ending(self, state: str) -> None:
        """End the work here if that was asked for; ``state`` says what is kept."""
        if self.ending is not None:
            raise Stopped(self.ending).told(state)


_heard: list[Requests] = []  # one at most: signals are sent to a process


@contextmanager
def listen() -> Iterator[Requests]:
    """Take signals as requests while the block runs; one inside another hears the same.

    Raises:
        Stopped: in the block, wherever it is, unless it is patient; before it if that was put off.
    """
    if _heard:
        _heard[0].insist(0, None)  # what was put off amid an import is not put off any longer
        yield _heard[0]
        return
    requests = Requests()
    handlers = dict.fromkeys(ENDING, requests.end)
    if hasattr(signal, "SIGUSR1"):
        handlers[signal.SIGUSR1] = requests.save
    if hasattr(signal, "SIGALRM"):
        handlers[signal.SIGALRM] = requests.insist
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup asks for SIGHUP
    }
    hook = sys.unraisablehook

    def leave_all_the_same(dropped: Any) -> None:
        if isinstance(dropped.exc_value, Stopped):  # raised amid a destructor, from which
            os._exit(128 + dropped.exc_value.number)  # Python lets nothing out
        hook(dropped)

    _heard.append(requests)
    sys.unraisablehook = leave_all_the_same
    try:
        yield requests
    finally:
        sys.unraisablehook = hook
        _heard.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def hear_no_more() -> None:
    """Let a signal end the process without a word: for the time in which Python takes it down."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False

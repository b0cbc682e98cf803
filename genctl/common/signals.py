"""SIGINT, SIGTERM and SIGHUP end a command; during training, after the current step is saved.

The handler sets a flag and raises Stopped, except while imports and the training loop defer that
and read the flag themselves. Where a library drops the exception, the flag is still there for the
loop, and a second signal ends the process.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from genctl.common.errors import Interrupted

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(BaseException):
    """A signal asked the command to stop; no ``except Exception`` catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def as_error(self, state: str) -> Interrupted:
        """The error that tells the user; ``state`` says what was saved."""
        name = signal.Signals(self.number).name
        return Interrupted(
            self.number, f"interrupted by {name}: {state}; run the same command again to continue"
        )


class SignalFlags:
    """The signals received since the command began."""

    def __init__(self, *, exits: bool = True) -> None:
        self.exits = exits
        self.stop: int | None = None  # the signal that asked the command to stop
        self.checkpoint = False  # SIGUSR1 asked for a checkpoint
        self._deferred = False

    def on_stop(self, number: int, frame: FrameType | None) -> None:
        """Stop the command, or only set the flag; a second signal ends the process at once.

        A program that uses genctl as a library is not ended, but gets a KeyboardInterrupt.
        """
        if self.stop is not None:
            if not self.exits:
                raise KeyboardInterrupt
            os._exit(128 + number)
        self.stop = number
        if not self._deferred:
            raise Stopped(number)

    def on_checkpoint(self, number: int, frame: FrameType | None) -> None:
        """Set the flag."""
        self.checkpoint = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only set flags inside the block, which has to read them."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before


_active: list[SignalFlags] = []  # at most one, since signals belong to the process


@contextmanager
def signal_flags(*, in_library: bool = False) -> Iterator[SignalFlags]:
    """Handle signals while the block runs; a nested block shares the flags of the outer one.

    In a thread that is not the main one signals never arrive, so nothing is handled.

    Args:
        in_library: whether the process belongs to another program, whose own handlers stay.

    Raises:
        Stopped: anywhere in the block, unless it is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield SignalFlags()
        return
    if _active:
        yield _active[0]
        return
    flags = SignalFlags(exits=not in_library)
    handlers = dict.fromkeys(STOP_SIGNALS, flags.on_stop)
    if hasattr(signal, "SIGUSR1"):
        handlers[signal.SIGUSR1] = flags.on_checkpoint
    previous = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if _may_handle(number, in_library)
    }
    _active.append(flags)
    try:
        yield flags
    finally:
        _active.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _may_handle(number: int, in_library: bool) -> bool:
    present = signal.getsignal(number)
    if in_library:
        return present in (signal.SIG_DFL, signal.default_int_handler)
    return present is not signal.SIG_IGN  # nohup ignores SIGHUP on purpose


def restore_default_handlers() -> None:
    """Let signals end the process without a traceback while Python shuts down."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)

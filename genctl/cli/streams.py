"""The streams of the program, as they are given to it: closed, full, or with nobody at the end."""

import io
import os
import sys
from typing import Any, TextIO


def open_streams() -> None:
    """Make up for streams that are closed (``>&-``), so that no other file takes their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name need not be in the locale's letters
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stderr, Unminded):
        sys.stderr = Unminded(sys.stderr)  # type: ignore[assignment]


def silence(stream: TextIO) -> None:
    """Send a stream nowhere: what Python still holds back must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Unminded:
    """Words for people: where they cannot be written, nobody reads them, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or from now on write nothing."""
        try:
            return self._stream.write(text)
        except OSError:
            silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """The same for what is held back."""
        try:
            self._stream.flush()
        except OSError:
            silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

"""Standard streams that are closed, full, or broken pipes."""

import io
import os
import sys
from typing import Any, TextIO


def prepare_streams() -> None:
    """Replace closed streams, and keep printing to stderr from ever failing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed, as by `>&-`: else the next file opened is stdout
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the locale may lack letters of a file name
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stderr, FailSafeStream):
        sys.stderr = FailSafeStream(sys.stderr)  # type: ignore[assignment]


def redirect_to_devnull(stream: TextIO) -> None:
    """Discard what is written from now on, and what Python still buffers."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class FailSafeStream:
    """A text stream that discards its output once writing fails; the command continues."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, or discard it if that fails."""
        try:
            return self._stream.write(text)
        except OSError:
            redirect_to_devnull(self._stream)
            return len(text)

    def flush(self) -> None:
        """Write the buffer, or discard it if that fails."""
        try:
            self._stream.flush()
        except OSError:
            redirect_to_devnull(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

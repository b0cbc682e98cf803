"""What a command prints: results to stdout for programs, messages to stderr for people."""

import gc
import json
import math
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from genctl.cli.streams import redirect_to_devnull
from genctl.common.errors import GenctlError, WriteFailed, user_error
from genctl.common.signals import SignalFlags, Stopped, signal_flags

STARTED = time.monotonic()
"""When the process started: --max-time is counted from here."""

# Control characters, marks that change the direction of text, and undecodable bytes.
UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

MAX_LINE = 2000  # characters of a message


class Console:
    """The output of one command, as its options ask for it."""

    def __init__(self, as_json: bool, quiet: bool, debug: bool) -> None:
        self.as_json, self.quiet, self.debug = as_json, quiet, debug

    def info(self, text: str) -> None:
        """Print a message to stderr, unless --quiet."""
        if not self.quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning to stderr."""
        print(f"genctl: warning: {shortened(printable(text))}", file=sys.stderr, flush=True)

    def error(self, error: GenctlError) -> None:
        """Print an error to stderr, one line for each problem."""
        for line in error.lines():
            print(f"genctl: error: {shortened(printable(line))}", file=sys.stderr, flush=True)

    def result(
        self,
        values: dict[str, Any],
        text: str | None = None,
        *,
        written: Path | None = None,
        required: bool = True,
    ) -> None:
        """Print the result to stdout.

        Args:
            values: the JSON object to print with --json.
            text: what to print without --json; None prints nothing.
            written: the output file. If it is stdout itself, ``text`` goes to stderr.
            required: whether a result that cannot be printed is an error.

        Raises:
            BrokenPipeError: the result is required, and the reader of the pipe is gone.
            WriteFailed: the result is required, and stdout cannot take it.
        """
        if self.as_json:
            text = json.dumps(_finite(values), allow_nan=False)
        if text is None:
            return
        if written is not None and _is_stdout(written):
            self.info(text)
            return
        try:
            print(text, flush=True)
        except BrokenPipeError:
            if required:
                raise
            redirect_to_devnull(sys.stdout)
        except OSError as error:
            redirect_to_devnull(sys.stdout)
            failure = WriteFailed(f"cannot write to stdout: {error.strerror}; make room")
            if required:
                raise failure from None
            self.warn(str(failure))


@contextmanager
def console(as_json: bool, quiet: bool, debug: bool) -> Iterator[Console]:
    """The console of one command; an exception in the block becomes a message and an exit code.

    Raises:
        typer.Exit: with the exit code.
    """
    out = Console(as_json, quiet, debug)
    with _broken_pipe_handled(), _errors_reported(out):
        yield out


@contextmanager
def loading() -> Iterator[None]:
    """Import modules in the block, without garbage collection; a signal ends the command after it.

    Imports make many objects that stay: looking for garbage takes an eighth of the time of
    importing torch. Raised during an import, an exception leaves modules half loaded, and C code
    may drop it.

    Raises:
        Stopped: after the block.
    """
    gc.disable()
    with signal_flags() as signals:
        try:
            with signals.deferred():
                yield
        finally:
            gc.enable()
        _raise_if_stopped(signals)


def _raise_if_stopped(signals: SignalFlags) -> None:
    if signals.stop is not None:
        raise Stopped(signals.stop)


@contextmanager
def _errors_reported(out: Console) -> Iterator[None]:
    with signal_flags() as signals:
        try:
            _raise_if_stopped(signals)
            yield
        except Stopped as stopped:
            _exit_stopped(out, stopped)
        except (typer.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if out.debug:
                traceback.print_exc()
            known = user_error(error)
            if known is not None:
                out.error(known)
                text = "\n".join(map(shortened, known.lines()))
                result = {"status": "failed", "error": text} | (known.result or {})
                _exit(out, result, known.exit_code)
            if signals.stop is not None:  # an import or a library turned the stop into this error
                _exit_stopped(out, Stopped(signals.stop))
            text = f"{type(error).__name__}: {error}"
            hint = "" if out.debug else "; run it with --debug and report what that prints"
            out.error(GenctlError(f"a bug in genctl: {' '.join(text.split())}{hint}"))
            _exit(out, {"status": "failed", "error": text}, 1)


def _exit_stopped(out: Console, stopped: Stopped) -> None:
    error = stopped.as_error("no file was left half written")
    out.error(error)
    _exit(out, {"status": "interrupted", "error": str(error)}, error.exit_code)


def _exit(out: Console, result: dict[str, Any], code: int) -> None:
    if out.as_json:
        out.result(result | {"exit_code": code}, required=False)  # the exit code says the same
    raise typer.Exit(code) from None


@contextmanager
def _broken_pipe_handled() -> Iterator[None]:
    """Exit silently with 141, as other programs do, once ``| head`` has read enough."""
    try:
        yield
    except BrokenPipeError:
        redirect_to_devnull(sys.stdout)
        raise typer.Exit(141) from None


def _is_stdout(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:  # the file does not exist, or stdout is closed
        return False


def printable(text: str) -> str:
    """Escape control characters, which files from elsewhere may contain."""
    return UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def shortened(text: str) -> str:
    """Cut the middle out of a long line: files may contain names of any length."""
    if len(text) <= MAX_LINE:
        return text
    half = MAX_LINE // 2
    return f"{text[:half]} [{len(text) - 2 * half:,} characters] {text[-half:]}"


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, by None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value

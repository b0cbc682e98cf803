"""Where words go: results to stdout for programs, everything else to stderr for people."""

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

from genctl.cli.streams import silence
from genctl.common.errors import GenctlError, WriteFailed, user_error
from genctl.common.signals import Stopped

STARTED = time.monotonic()  # what --max-time counts from: this is imported first

# Control characters, marks that turn the direction of text, and bytes that are no UTF-8.
UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

MAX_LINE = 2000  # characters of a message


class Console:
    """The two streams of one command."""

    def __init__(self, as_json: bool, quiet: bool, debug: bool) -> None:
        self.as_json, self.quiet, self.debug = as_json, quiet, debug

    def info(self, text: str) -> None:
        """Tell a person something, unless they want quiet."""
        if not self.quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Tell a person something that they should look at."""
        print(f"genctl: warning: {shortened(printable(text))}", file=sys.stderr, flush=True)

    def error(self, error: GenctlError) -> None:
        """Tell a person what went wrong, one line for each thing."""
        for line in error.lines():
            print(f"genctl: error: {shortened(printable(line))}", file=sys.stderr, flush=True)

    def result(
        self, values: dict[str, Any], text: str | None = None, written: Path | None = None
    ) -> None:
        """Give a program its answer: one JSON object, or the plain text.

        Where stdout has already taken the output itself, ``written``, people are told instead.

        Raises:
            BrokenPipeError: nobody reads it.
            WriteFailed: stdout goes into a file that cannot take it.
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
            raise
        except OSError as error:
            silence(sys.stdout)
            raise WriteFailed(f"cannot write to stdout: {error.strerror}; make room") from None

    def offer(self, values: dict[str, Any], text: str | None = None) -> None:
        """The same where whoever does not read the answer misses nothing."""
        try:
            self.result(values, text)
        except BrokenPipeError:
            silence(sys.stdout)
        except WriteFailed as error:
            self.warn(str(error))


@contextmanager
def console(as_json: bool, quiet: bool, debug: bool) -> Iterator[Console]:
    """A console for one command; whatever goes wrong inside becomes a line and an exit code."""
    out = Console(as_json, quiet, debug)
    with _reader_may_leave(), _told(out):
        yield out


@contextmanager
def _told(out: Console) -> Iterator[None]:
    try:
        yield
    except Stopped as stopped:
        error = stopped.as_error("no file was left half written")
        out.error(error)
        _leave(out, {"status": "interrupted", "error": str(error)}, error.exit_code)
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:
        if out.debug:
            traceback.print_exc()
        known = error if isinstance(error, GenctlError) else user_error(error)
        if known is not None:
            out.error(known)
            text = "\n".join(map(shortened, known.lines()))
            failed = {"status": "failed", "error": text} | (known.result or {})
            _leave(out, failed, known.exit_code)
        what = f"{type(error).__name__}: {error}"
        hint = "" if out.debug else "; run it with --debug and report what that prints"
        out.error(GenctlError(f"a bug in genctl: {' '.join(what.split())}{hint}"))
        _leave(out, {"status": "failed", "error": what}, 1)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End quietly, as other programs do, when ``| head`` has read enough."""
    try:
        yield
    except BrokenPipeError:
        silence(sys.stdout)
        raise typer.Exit(141) from None


def _leave(out: Console, values: dict[str, Any], code: int) -> None:
    if out.as_json:
        out.offer(values | {"exit_code": code})  # the code says it all
    raise typer.Exit(code) from None


def _is_stdout(path: Path) -> bool:
    """Whether what was written to ``path`` went to where stdout goes."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:  # not there, or stdout is closed
        return False


def printable(text: str) -> str:
    """Show control characters of foreign texts instead of obeying them."""
    return UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


def shortened(text: str) -> str:
    """A line that can be read: foreign files hold names of any length."""
    if len(text) <= MAX_LINE:
        return text
    half = MAX_LINE // 2
    return f"{text[:half]} [{len(text) - 2 * half:,} characters] {text[-half:]}"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; null stands for both."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value

"""Where words go: results to stdout for programs, everything else to stderr for people."""

import json
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from genctl.errors import GenctlError

STARTED = time.monotonic()  # what --max-time counts from: this is imported first
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Console:
    """The two streams of one command."""

    def __init__(self, as_json: bool, quiet: bool, debug: bool) -> None:
        self.as_json, self.quiet, self.debug = as_json, quiet, debug

    def say(self, text: str) -> None:
        """Tell a person something, unless they want quiet."""
        if not self.quiet:
            print(_printable(text), file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Tell a person something that they should look at."""
        print(f"genctl: warning: {_printable(text)}", file=sys.stderr, flush=True)

    def error(self, error: GenctlError) -> None:
        """Tell a person what went wrong, one line for each thing."""
        for line in error.lines():
            print(f"genctl: error: {_printable(line)}", file=sys.stderr, flush=True)

    def result(self, values: dict[str, Any], text: str | None = None) -> None:
        """Give a program its answer: one JSON object, or the plain text."""
        if self.as_json:
            print(json.dumps(values), flush=True)
        elif text is not None:
            print(text, flush=True)


@contextmanager
def console(as_json: bool, quiet: bool, debug: bool) -> Iterator[Console]:
    """A console for one command; whatever goes wrong inside becomes a line and an exit code."""
    out = Console(as_json, quiet, debug)
    try:
        yield out
    except GenctlError as error:
        if debug:
            traceback.print_exc()
        out.error(error)
        failed = {"status": "failed", "error": str(error)} | getattr(error, "result", {})
        _leave(out, failed | {"exit_code": error.exit_code}, error.exit_code)
    except KeyboardInterrupt:
        _leave(out, {"status": "interrupted", "exit_code": 130}, 130)
    except BrokenPipeError:
        # Nobody reads any more; what Python still holds back must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except typer.Exit:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        hint = "" if debug else "; run it with --debug and report what that prints"
        out.error(GenctlError(f"a bug in genctl: {' '.join(what.split())}{hint}"))
        _leave(out, {"status": "failed", "error": what, "exit_code": 1}, 1)


def _leave(out: Console, values: dict[str, Any], code: int) -> None:
    if out.as_json:
        out.result(values)
    raise typer.Exit(code) from None


def _printable(text: str) -> str:
    """Show control characters of foreign texts instead of obeying them."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)

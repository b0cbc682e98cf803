"""The program from its first line on: it hears signals before it loads what takes time."""

import sys

from genctl.cli.streams import open_streams
from genctl.common.signals import Stopped, restore_default_handlers, signal_flags


def main() -> None:
    """Run one command and leave with its exit code."""
    open_streams()
    try:
        with signal_flags():
            sys.exit(_run())
    finally:
        restore_default_handlers()


def _run() -> int:
    try:
        from genctl.cli.commands import run

        return run(sys.argv[1:] or ["--help"])
    except Stopped as stopped:  # there was no console yet
        error = stopped.as_error("no file was left half written")
        print(f"genctl: error: {error}", file=sys.stderr, flush=True)
        return error.exit_code

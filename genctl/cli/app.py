"""The program from its first line on: it hears signals before it loads what takes time."""

import sys

from genctl.cli.streams import open_streams
from genctl.common.signals import Stopped, hear_no_more, listen


def main() -> None:
    """Run one command and leave with its exit code."""
    open_streams()
    try:
        with listen():
            sys.exit(_run())
    finally:
        hear_no_more()


def _run() -> int:
    try:
        from genctl.cli.commands import run

        return run(sys.argv[1:] or ["--help"])
    except Stopped as stopped:  # there was no console yet
        error = stopped.told("no file was left half written")
        print(f"genctl: error: {error}", file=sys.stderr, flush=True)
        return error.exit_code

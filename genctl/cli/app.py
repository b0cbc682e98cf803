"""The entry point: it handles signals before it imports anything that takes long."""

import gc
import os
import sys

from genctl.cli.streams import prepare_streams
from genctl.common.signals import Stopped, restore_default_handlers, signal_flags


def main() -> None:
    """Run one command and exit with its code."""
    gc.disable()  # until the command has loaded what it needs: importing makes no garbage
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # it asks every installed package
    prepare_streams()
    try:
        with signal_flags() as signals:
            with signals.deferred():  # obeyed once there is a console
                from genctl.cli.commands import run

            sys.exit(run(sys.argv[1:] or ["--help"]))
    except Stopped as stopped:  # outside of the command's console
        error = stopped.as_error("no file was left half written")
        print(f"genctl: error: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    finally:
        restore_default_handlers()
        gc.enable()

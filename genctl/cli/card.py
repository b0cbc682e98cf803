"""genctl card: a run in, a model card out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console, loading


def card(
    name: options.RunArgument = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="MD", help="Default: README.md in the run directory."),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a model card in Markdown, as the Hugging Face Hub reads it.

    Prints the path of the card.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.reports.card_file import write_card
            from genctl.reports.history import named_run, read_history

        run = named_run(name, runs)
        if name is None:
            console_.info(f"card of {run}")
        written = write_card(read_history(run), out, console_.warn)
        console_.result({"out": str(written), "run": str(run)}, str(written), written=written)

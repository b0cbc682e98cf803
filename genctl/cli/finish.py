"""genctl finish: asks a run to end soon, with a good model."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console, loading


def finish(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="A run directory, or its name in --runs. Default: the run that is running.",
            show_default=False,
        ),
    ] = None,
    within: Annotated[
        float,
        typer.Option(
            "--within", metavar="SECONDS", min=1, max=10**7, help="Time it may still take."
        ),
    ] = 60.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the run is over, and print its result.")
    ] = False,
    runs: options.Runs = Path("runs"),
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Ask a running run to complete soon, with a good model.

    It brings its learning-rate schedule to the end. A run that is not running keeps the request,
    and finishes once it is resumed. Prints the run directory.
    """
    with console(json, quiet, debug) as out:
        with loading():
            from genctl.runs.finish import ask, find_running, named_run
            from genctl.runs.finish import wait as wait_until_over

        run = find_running(runs) if name is None else named_run(name, runs)
        answer = ask(run, within)
        out.info(answer.message())
        values = answer.values()
        if wait and answer.status != "complete":
            values = wait_until_over(run)
            out.info(f"{values['status']} after {values['images']:,} images")
        out.result(values, str(run))

"""genctl report: runs in, one HTML file to compare them."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import completion, options
from genctl.cli.console import console, loading


def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="Run directories, or their names in --runs. Default: all in --runs.",
            show_default=False,
            autocompletion=completion.runs,
        ),
    ] = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[Path, typer.Option("--out", metavar="HTML", help="The file to write.")] = Path(
        "report.html"
    ),
    score: Annotated[
        str | None,
        typer.Option(
            "--score",
            metavar="NAME",
            help="The score to choose a model by, such as fid or coverage.",
            show_default="FID plus the share of samples of a wrong class",
            autocompletion=completion.scores,
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compare runs on one HTML page: scores, curves and samples.

    It says which model to choose, and needs no server and no network. Prints the path of the page.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.common import files
            from genctl.reports.history import find_runs
            from genctl.reports.page import render
            from genctl.reports.report import as_json, build_report

        built = build_report(find_runs(names or [], runs), score, console_.warn)
        page = render(built)
        files.make_folder(out.parent)
        files.atomic_write(out, page)
        for sentence in built.choice.answer:
            console_.info(sentence)
        console_.result({"out": str(out), **as_json(built)}, str(out), written=out)

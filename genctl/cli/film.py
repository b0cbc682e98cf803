"""genctl film: a run in, an animation of its samples through training out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console, loading


def film(
    name: options.RunArgument = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A .gif, .png (animated) or .webp file.")
    ] = Path("film.gif"),
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Animate the samples of a run through its training.

    Prints the path of the animation.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.common import files
            from genctl.reports.film import encode, film_frames, require_format
            from genctl.reports.history import named_run, read_history

        require_format(out)
        run = named_run(name, runs)
        if name is None:
            console_.info(f"film of {run}")
        frames = film_frames(run, read_history(run).grids, console_.warn)
        files.make_folder(out.parent)
        files.atomic_write(out, encode(frames, out.suffix))
        console_.info(f"{len(frames)} frames")
        result = {"out": str(out), "run": str(run), "frames": len(frames)}
        console_.result(result, str(out), written=out)

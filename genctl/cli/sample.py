"""genctl sample: conditions in, pictures out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console

if TYPE_CHECKING:
    from genctl import drawing
    from genctl.drawing import Order
    from genctl.model_file import TrainedModel


class Format(StrEnum):
    """What the samples are written as."""

    grid = "grid"
    png = "png"
    npz = "npz"


def sample(
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="SPEC",
            help="What to draw more of: an image file, a folder or glob of them, label:7, "
            "mnist:test[0:10], codes.npz[3], mix:A,B, or noise; repeatable.",
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Images for each condition.")] = 64,
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other images.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="The file or folder to write.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="One sheet, a folder of pictures, or arrays."),
    ] = None,
    truncation: Annotated[
        float,
        typer.Option(
            "--truncation", metavar="PSI", min=0, help="Scale z: below 1 for typical images."
        ),
    ] = 1.0,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="Walk from one z to another.")
    ] = False,
    device: options.Device = "auto",
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Images in memory at a time.")
    ] = 1024,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Draw images of the kind shown; prints the path of the picture."""
    with console(json, quiet, debug) as console_:
        from genctl import drawing, model_file
        from genctl import run as run_folder
        from genctl.devices import choose_device

        path = run_folder.find_model(run, runs)
        if run is None:
            console_.say(f"drawing from {path}")
        trained = model_file.read(path, choose_device(device))
        order = drawing.Order(tuple(condition or ()), n, seed, truncation, interpolate)
        form = _form(format_, out)
        target = out or _default_path(order, trained, form)
        drawn = drawing.draw(order, trained, batch_size, console_.say, console_.warn)
        drawing.write(drawn, order, trained, target, form)
        facts = drawing.provenance(order, trained)
        console_.result({"out": str(target), "images": len(drawn.pixels), **facts}, str(target))


def _form(wish: Format | None, out: Path | None) -> drawing.Format:
    if wish is not None:
        return wish.value
    return "npz" if out is not None and out.suffix == ".npz" else "grid"


def _default_path(order: Order, trained: TrainedModel, form: str) -> Path:
    """A name that says what is drawn, so that other samples are never overwritten."""
    import hashlib
    import json

    from genctl.drawing import provenance

    key = json.dumps(provenance(order, trained), sort_keys=True)
    stem = f"samples-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return Path({"grid": f"{stem}.png", "npz": f"{stem}.npz"}.get(form, stem))

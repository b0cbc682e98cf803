"""genctl sample: conditions in, pictures out."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import console
from genctl.common.errors import UsageError

if TYPE_CHECKING:
    from genctl.inference import sheet


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
            "mnist:test[0:10], codes.npz[3], mix:A,B, or noise; repeatable. "
            "Where none is given, every class once per row.",
        ),
    ] = None,
    n: Annotated[
        int,
        typer.Option("--n", min=1, help="Images for each condition; in all where there is none."),
    ] = 64,
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**63 - 1, help="Another seed, other images.")
    ] = 0,
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
        bool,
        typer.Option(
            "--interpolate",
            help="Walk through z: one row for each condition, or an animation where --out ends in "
            ".gif or .apng.",
        ),
    ] = False,
    device: options.Device = "auto",
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Images in memory at a time.")
    ] = 4096,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Draw images of the kind shown; prints the path of the picture."""
    with console(json, quiet, debug) as console_:
        from dataclasses import asdict
        from functools import partial

        from genctl.cli.reporters import open_reporter
        from genctl.common.devices import choose_device
        from genctl.inference import samples as drawing
        from genctl.inference import sheet
        from genctl.runs import model_file
        from genctl.runs import run as run_folder

        form = _form(format_, out, interpolate)
        if not math.isfinite(truncation):
            raise UsageError(f"--truncation {truncation}: must be a number, as 0.7")

        path = run_folder.find_model(run, runs)
        if run is None:
            console_.info(f"drawing from {path}")
        trained = model_file.read(path, choose_device(device))
        order = drawing.Order(tuple(condition or ()), n, seed, truncation, interpolate)
        drawn = drawing.draw(order, trained, console_.info, console_.warn)
        metadata = asdict(sheet.provenance(order, trained))
        target = out or _default_path(metadata, form)
        with open_reporter(console_) as reporter:
            sheet.write(drawn, target, form, batch_size, partial(reporter.progress, "drawing"))
        answer = {"out": str(target), "images": len(drawn), **metadata}
        console_.result(answer, str(target), written=target)


def _form(wish: Format | None, out: Path | None, interpolate: bool) -> sheet.Format:
    """What to write, by --format or else by how --out ends."""
    suffix = out.suffix.lower() if out is not None else ""
    if wish is None and suffix in (".gif", ".apng"):
        if not interpolate:
            raise UsageError(f"--out {out}: only a walk can move; add --interpolate")
        return "animation"
    form: sheet.Format = wish.value if wish is not None else "npz" if suffix == ".npz" else "grid"
    expected = {"grid": ".png", "npz": ".npz", "png": suffix}[form]
    if suffix not in ("", expected):
        raise UsageError(f"--out {out}: must end in {expected}, or choose another --format")
    return form


def _default_path(metadata: dict[str, Any], form: str) -> Path:
    """A name that says what is drawn, so that other samples are never overwritten."""
    import hashlib
    import json

    key = json.dumps(metadata, sort_keys=True)
    stem = f"samples-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return Path({"grid": f"{stem}.png", "npz": f"{stem}.npz"}.get(form, stem))

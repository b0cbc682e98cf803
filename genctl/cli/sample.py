"""genctl sample: conditions in, pictures out."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import completion, options
from genctl.cli.console import console, loading
from genctl.common.errors import UsageError

if TYPE_CHECKING:
    from genctl.inference import writers


MAX_IMAGES = 10**12  # far more than any disk holds


class Format(StrEnum):
    """The format of the output."""

    grid = "grid"
    png = "png"
    npz = "npz"


def sample(
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="SPEC",
            help="What to generate more of: an image file, a folder or glob of images, label:7, "
            "mnist:test[0:10], codes.npz[3], text:WORDS, mix:A,B, or noise; repeatable. "
            "Default: every class once per row.",
            autocompletion=completion.conditions,
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="WORDS",
            help="What to generate, in words; the same as --condition text:WORDS. Repeatable.",
        ),
    ] = None,
    n: Annotated[
        int,
        typer.Option(
            "--n",
            metavar="N",
            min=1,
            help="Images per condition; in total if there are no conditions.",
        ),
    ] = 64,
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    seed: Annotated[
        int, typer.Option("--seed", metavar="SEED", min=0, help="Seed of all random numbers.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="The file or folder to write.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="grid: one PNG of all images; png: a folder with one PNG per image; npz: arrays.",
        ),
    ] = None,
    truncation: Annotated[
        float,
        typer.Option(
            "--truncation",
            metavar="PSI",
            min=0,
            help="Scale z: below 1, images are more typical and less varied.",
        ),
    ] = 1.0,
    interpolate: Annotated[
        bool,
        typer.Option(
            "--interpolate",
            help="Walk through z: one row per condition, or an animation if --out ends in .gif or "
            ".apng.",
        ),
    ] = False,
    steps: Annotated[
        int,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            max=1000,
            help="Passes from noise to image; only flows (meanflow) take more than one.",
        ),
    ] = 1,
    device: options.Device = "auto",
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            metavar="N",
            min=1,
            help="Images generated at a time; changes no image.",
        ),
    ] = 4096,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Generate images, with or without a condition.

    Prints the path of the picture, the folder or the file.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from dataclasses import asdict
            from functools import partial

            from genctl.cli.reporters import open_reporter
            from genctl.cli.run_option import load_model
            from genctl.common.devices import choose_device
            from genctl.inference import writers
            from genctl.inference.prompts import PREFIX
            from genctl.inference.provenance import provenance_of
            from genctl.inference.samples import MAX_SEED, SampleRequest, SampleSet

        form = _choose_format(format_, out, interpolate)
        for option, value, most in (("--n", n, MAX_IMAGES), ("--seed", seed, MAX_SEED)):
            if value > most:
                raise UsageError(f"{option} {value}: must be at most {most:,}")
        if not math.isfinite(truncation):
            raise UsageError(f"--truncation {truncation}: must be a finite number, such as 0.7")

        trained = load_model(run, runs, choose_device(device), console_, "sampling from")
        specs = (*(condition or ()), *(f"{PREFIX}{words}" for words in prompt or ()))
        request = SampleRequest(specs, n, seed, truncation, interpolate, steps)
        samples = SampleSet.from_request(request, trained, console_.info, console_.warn)
        provenance = asdict(provenance_of(samples))
        target = out or _default_path(provenance, form)
        with open_reporter(console_) as reporter:
            on_progress = partial(reporter.progress, "sampling")
            writers.write(samples, target, form, batch_size, on_progress)
        result = {"out": str(target), "images": len(samples), **provenance}
        console_.result(result, str(target), written=target)


def _choose_format(
    wish: Format | None, out: Path | None, interpolate: bool
) -> writers.OutputFormat:
    """The format that --format names, or else the suffix of --out."""
    suffix = out.suffix.lower() if out is not None else ""
    if wish is None and suffix in (".gif", ".apng"):
        if not interpolate:
            raise UsageError(f"--out {out}: an animation needs a walk; add --interpolate")
        return "animation"
    form: writers.OutputFormat = (
        wish.value if wish is not None else "npz" if suffix == ".npz" else "grid"
    )
    expected = {"grid": ".png", "npz": ".npz", "png": suffix}[form]
    if suffix not in ("", expected):
        raise UsageError(f"--out {out}: must end in {expected}, or choose another --format")
    return form


def _default_path(provenance: dict[str, Any], form: str) -> Path:
    """A name with a hash of the provenance, so that other samples are never overwritten."""
    import hashlib
    import json

    key = json.dumps(provenance, sort_keys=True)
    stem = f"samples-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return Path({"grid": f"{stem}.png", "npz": f"{stem}.npz"}.get(form, stem))

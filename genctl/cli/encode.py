"""genctl encode: images in, codes out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console


def encode(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="Images, folders, globs, or a data set as mnist:test."
        ),
    ],
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="A .npz, .csv, .jsonl or .safetensors file."),
    ] = Path("codes.npz"),
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PNG", help="Draw a map of the codes.")
    ] = None,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Turn images into codes; prints the path of the file."""
    with console(json, quiet, debug) as console_:
        import torch

        from genctl.common import files
        from genctl.common.devices import choose_device
        from genctl.common.errors import UsageError
        from genctl.inference import encoding
        from genctl.inference.probe import FOLDS, cross_validated_probe
        from genctl.runs import model_file
        from genctl.runs import run as run_folder

        if out.suffix not in encoding.FORMATS:
            raise UsageError(f"--out {out}: must end in one of {', '.join(encoding.FORMATS)}")
        if plot is not None and plot.suffix.lower() != ".png":
            raise UsageError(f"--plot {plot}: must end in .png")
        path = run_folder.find_model(run, runs)
        if run is None:
            console_.info(f"encoding with {path}")
        trained = model_file.read(path, choose_device(device))
        encoded = encoding.encode(inputs, trained, console_.warn)
        labels = encoded.labels
        accuracy = (
            None if labels is None else cross_validated_probe(encoded.codes, torch.tensor(labels))
        )
        map_ = encoding.plot(encoded) if plot is not None else b""
        encoding.write(encoded, out)
        if plot is not None:
            files.make_folder(plot.parent)
            files.atomic_write(plot, map_)
        count, width = encoded.codes.shape
        console_.info(f"{count:,} codes of width {width}")
        if accuracy is not None:
            console_.info(f"linear probe: accuracy {accuracy:.1%} ({FOLDS}-fold cross-validation)")
        console_.result(
            {
                "out": str(out),
                "count": count,
                "width": width,
                "cross_validated_linear_probe": accuracy,
                "plot": None if plot is None else str(plot),
                "model": str(path),
                "model_sha256": trained.digest,
            },
            str(out),
        )

"""genctl encode: images in, codes out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import completion, options
from genctl.cli.console import console, loading


def encode(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Images, folders, globs, or a data set such as mnist:test; for a model of words, "
            "text files with a caption in each line, or text:WORDS.",
            autocompletion=completion.inputs,
        ),
    ],
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="A .npz, .csv, .jsonl or .safetensors file."),
    ] = Path("codes.npz"),
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="PNG",
            help="Also write a map: each image at the principal components of its code.",
        ),
    ] = None,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Turn images, or words, into codes.

    For images with labels it shows how well a linear classifier reads these from the codes. Prints
    the path of the file.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            import torch

            from genctl.cli.run_option import load_model
            from genctl.common import files
            from genctl.common.devices import choose_device
            from genctl.common.errors import UsageError
            from genctl.inference import code_map, encoding
            from genctl.inference.probe import FOLDS, cross_validated_probe

        encoding.require_format(out)
        if plot is not None and plot.suffix.lower() != ".png":
            raise UsageError(f"--plot {plot}: must end in .png")
        trained = load_model(run, runs, choose_device(device), console_, "encoding with")
        encoded = encoding.encode(inputs, trained, console_.warn)
        accuracy = None
        if encoded.labels is not None:
            accuracy = cross_validated_probe(encoded.codes, torch.tensor(encoded.labels))
        png = code_map.plot(encoded) if plot is not None else b""
        encoding.write(encoded, out)
        if plot is not None:
            files.make_folder(plot.parent)
            files.atomic_write(plot, png)
        count, code_dim = encoded.codes.shape
        console_.info(f"{count:,} codes of length {code_dim}")
        if accuracy is not None:
            console_.info(f"linear probe: accuracy {accuracy:.1%} ({FOLDS}-fold cross-validation)")
        console_.result(
            {
                "out": str(out),
                "images": count,
                "code_dim": code_dim,
                "linear_probe_cv_accuracy": accuracy,
                "plot": None if plot is None else str(plot),
                "model": str(trained.path),
                "model_sha256": trained.digest,
            },
            str(out),
        )

"""genctl export: a model in, ONNX files out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console, loading


def export(
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder to write into.")
    ] = Path("onnx"),
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write generator and encoder as ONNX, checked against torch; prints their paths."""
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.common.devices import choose_device
            from genctl.inference import onnx_export
            from genctl.runs import model_file
            from genctl.runs.lookup import find_model

        onnx_export.require_packages()
        path = find_model(run, runs)
        if run is None:
            console_.info(f"exporting {path}")
        trained = model_file.read(path, choose_device("cpu"))
        differences = onnx_export.export(trained, out)
        for file, difference in differences.items():
            console_.info(f"{file}: outputs of onnxruntime and torch differ by {difference:.1e}")
        console_.result(
            {
                "out": str(out),
                "largest_difference": differences,
                "model": str(path),
                "model_sha256": trained.digest,
            },
            "\n".join(differences),
        )

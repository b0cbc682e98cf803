"""genctl export: a model in, ONNX files out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console


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
        from genctl.common.devices import choose_device
        from genctl.inference import onnx_export as exporting
        from genctl.runs import model_file
        from genctl.runs import run as run_folder

        exporting.require_packages()
        path = run_folder.find_model(run, runs)
        if run is None:
            console_.info(f"exporting {path}")
        trained = model_file.read(path, choose_device("cpu"))
        differences = exporting.export(trained, out)
        for file, off in differences.items():
            console_.info(f"{file}: onnxruntime and torch agree to {off:.1e}")
        console_.result(
            {
                "out": str(out),
                "largest_difference": differences,
                "model": str(path),
                "model_sha256": trained.digest,
            },
            "\n".join(differences),
        )

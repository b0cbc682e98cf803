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
    """Write generator and encoder as ONNX, checked against torch.

    Prints the paths of the files.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.cli.run_option import load_model
            from genctl.common.devices import choose_device
            from genctl.inference import onnx_export

        onnx_export.require_packages()
        trained = load_model(run, runs, choose_device("cpu"), console_, "exporting")
        differences = onnx_export.export(trained, out)
        for file, difference in differences.items():
            console_.info(f"{file}: outputs of onnxruntime and torch differ by {difference:.1e}")
        console_.result(
            {
                "out": str(out),
                "largest_difference": differences,
                "model": str(trained.path),
                "model_sha256": trained.digest,
            },
            "\n".join(differences),
        )

"""genctl export: a model in, ONNX files or a page to draw on out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import console, loading


def export(
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The folder for ONNX files.", show_default="onnx"
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="HTML",
            help="Write the model as one HTML file to draw on instead; with --out, both.",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write generator and encoder as ONNX, or as a page to draw on; checked against torch.

    Prints the paths of the files.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.cli.run_option import load_model
            from genctl.common import files
            from genctl.common.devices import choose_device
            from genctl.export import onnx_model
            from genctl.export.page_file import render
            from genctl.export.page_model import build_page_model

        folder = Path("onnx") if out is None and page is None else out
        if folder is not None:
            onnx_model.require_packages()
        trained = load_model(run, runs, choose_device("cpu"), console_, "exporting")
        result: dict[str, Any] = {"model": str(trained.path), "model_sha256": trained.digest}
        paths: list[str] = []
        if folder is not None:
            differences = onnx_model.export(trained, folder)
            for file, difference in differences.items():
                console_.info(
                    f"{file}: outputs of onnxruntime and torch differ by {difference:.1e}"
                )
            paths += differences
            result |= {"out": str(folder), "largest_difference": differences}
        if page is not None:
            built = build_page_model(trained)
            content = render(built, trained)
            files.make_folder(page.parent)
            files.atomic_write(page, content)
            console_.info(
                f"{page}: {len(content) / 1e6:.1f} MB; pixels differ from torch's by at most "
                f"{built.largest_difference:.2f} of 255 levels"
            )
            paths.append(str(page))
            result |= {"page": str(page), "largest_pixel_difference": built.largest_difference}
        console_.result(result, "\n".join(paths), written=page)

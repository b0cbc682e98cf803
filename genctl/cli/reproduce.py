"""genctl reproduce: a picture in, the same picture out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import options
from genctl.cli.console import console


def reproduce(
    picture: Annotated[
        Path, typer.Argument(metavar="GRID.png", help="A picture that genctl sample wrote.")
    ],
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Where to draw it; else beside the old one."),
    ] = None,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Draw a picture again from what it says about itself, and compare."""
    with console(json, quiet, debug) as console_:
        from genctl.common import files
        from genctl.common.devices import choose_device
        from genctl.common.errors import BadContent, MissingInput
        from genctl.data import pictures as images
        from genctl.inference import samples as drawing
        from genctl.inference import sheet
        from genctl.runs import model_file
        from genctl.runs import run as run_folder

        metadata = sheet.read_provenance(picture)
        path = Path(metadata.model) if run is None else run_folder.find_model(run, runs)
        if not path.is_file():
            raise MissingInput(
                f"cannot reproduce {picture}: its model {path} is not there; say with --run "
                "where it is"
            )
        trained = model_file.read(path, choose_device(device))
        if trained.digest != metadata.model_sha256:
            raise BadContent(
                f"cannot reproduce {picture}: {path} is not the model that drew it; "
                "name that one with --run"
            )
        target = out or picture.with_name(f"{picture.stem}.again.png")
        drawn = drawing.draw(metadata.order, trained, console_.info, console_.warn)
        pixels = sheet.redraw(drawn, metadata, batch_size=1024)
        same = sheet.is_same(picture, pixels)
        files.atomic_write(target, images.png(pixels, sheet.text(metadata)))
        if same:
            console_.info("the same to the last bit")
        else:
            console_.warn(f"{target} is not the same as {picture}: was a condition changed?")
        console_.result({"out": str(target), "identical": same}, str(target), written=target)

"""genctl reproduce: a picture in, the same picture out."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import completion, options
from genctl.cli.console import console, loading


def reproduce(
    picture: Annotated[
        Path, typer.Argument(metavar="GRID.png", help="A picture that genctl sample wrote.")
    ],
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="A run directory, its name, or a .safetensors file.",
            show_default="the model that the picture names",
            autocompletion=completion.runs,
        ),
    ] = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Default: NAME.again.png beside the picture."),
    ] = None,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Generate a picture again from the metadata inside it.

    It says whether the two are identical. Prints the path of the new picture.
    """
    with console(json, quiet, debug) as console_:
        with loading():
            from genctl.common import files
            from genctl.common.devices import choose_device
            from genctl.common.errors import BadContent, MissingInput
            from genctl.data import pictures
            from genctl.inference import provenance as provenances
            from genctl.inference.samples import SampleSet
            from genctl.runs import model_file
            from genctl.runs.lookup import find_model

        provenance = provenances.read_provenance(picture)
        path = Path(provenance.model) if run is None else find_model(run, runs)
        if not path.is_file():
            raise MissingInput(
                f"cannot reproduce {picture}: its model {path} does not exist; name the model "
                "with --run"
            )
        trained = model_file.read(path, choose_device(device))
        if trained.digest != provenance.model_sha256:
            raise BadContent(
                f"cannot reproduce {picture}: {path} is not the model that generated it; name "
                "that one with --run"
            )
        target = out or picture.with_name(f"{picture.stem}.again.png")
        samples = SampleSet.from_request(provenance.request, trained, console_.info, console_.warn)
        pixels = provenances.regenerate(samples, provenance, batch_size=1024)
        identical = provenances.is_identical(picture, pixels)
        files.atomic_write(target, pictures.png(pixels, provenances.png_text(provenance)))
        if identical:
            console_.info("identical to the last bit")
        else:
            console_.warn(f"{target} differs from {picture}: was a condition changed?")
        result = {"out": str(target), "identical": identical}
        console_.result(result, str(target), written=target)

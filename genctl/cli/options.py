"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from genctl.cli import completion

Json = Annotated[
    bool, typer.Option("--json", help="Print the result to stdout as one JSON object.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only warnings and errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:1 or mps.",
        autocompletion=completion.devices,
    ),
]
Runs = Annotated[
    Path, typer.Option("--runs", metavar="DIR", help="The folder that holds the run directories.")
]
RunName = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="A run directory, its name, or a .safetensors file.",
        show_default="the newest run that has a model",
        autocompletion=completion.runs,
    ),
]
RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="A run directory, or its name in --runs. Default: the newest with a model.",
        show_default=False,
        autocompletion=completion.runs,
    ),
]

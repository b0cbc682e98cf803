"""genctl configs: list, show, copy, check and write configs, and print their schema."""

import json as json_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from genctl.cli import completion, options
from genctl.cli.console import console, loading
from genctl.cli.help_pages import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    help="List, show, copy and check configs.",
    pretty_exceptions_enable=False,
)

Size = Literal[16, 32, 64, 128, 256]

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The name of a preset.", autocompletion=completion.preset_names
    ),
]


@app.command("list")
def list_(
    json: options.Json = False, quiet: options.Quiet = False, debug: options.Debug = False
) -> None:
    """List the presets."""
    with console(json, quiet, debug) as out:
        from genctl.config import presets

        summaries = {name: presets.summary(name) for name in presets.names()}
        width = max(map(len, summaries))
        lines = [f"{name:{width}}  {summary}" for name, summary in summaries.items()]
        out.result({"configs": summaries}, "\n".join(lines))


@app.command()
def show(
    name: Name,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print a preset with its comments; with --json, all its values."""
    with console(json, quiet, debug) as out:
        from genctl.config import config as configs

        text = configs.read_source(name)
        out.result(configs.parse(text, name).model_dump(mode="json"), text.rstrip())


@app.command()
def copy(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Copy a preset to a new file, with a schema for editors; an existing file stays."""
    with console(json, quiet, debug) as out:
        from genctl.config import presets
        from genctl.config.editor_schema import write_with_schema

        schema_file = write_with_schema(file, presets.text(name))
        out.info(f"editors complete and check it by {schema_file}")
        out.result({"out": str(file), "schema": str(schema_file)}, str(file))


@app.command()
def new(
    pictures: Annotated[
        Path, typer.Argument(metavar="PICTURES", help="A folder of pictures of any kind.")
    ],
    file: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    size: Annotated[
        Size | None,
        typer.Option(
            "--size",
            metavar="N",
            help="Height and width of the images: 16, 32, 64, 128 or 256.",
            show_default="what suits the pictures, at most 64",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Look at a folder of pictures, and write a commented config that trains on them."""
    with console(json, quiet, debug) as out:
        with loading():
            from genctl.cli.pictures import config_for
            from genctl.cli.reporters import open_reporter
            from genctl.common.errors import CannotCreate
            from genctl.config import config as configs
            from genctl.config.editor_schema import write_with_schema

        if file.exists():  # before the pictures are read, which may take long
            raise CannotCreate(f"cannot write {file}: it exists; choose another name")
        with open_reporter(out) as reporter:
            found = config_for(pictures, file.name, size, reporter)
        config = configs.parse(found.text, str(file))
        schema_file = write_with_schema(file, found.text)
        for line in found.seen:
            out.info(line)
        out.info(f"train on them with `genctl train --config {file} --max-time 240`")
        values = {"out": str(file), "schema": str(schema_file), "seen": found.facts}
        out.result(values | {"config": config.model_dump(mode="json")}, str(file))


@app.command()
def check(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A YAML file.", autocompletion=completion.presets),
    ],
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Check a config file and report all its mistakes."""
    with console(json, quiet, debug) as out:
        from genctl.config import config as configs

        config = configs.load(file)
        out.info(f"{file}: valid")
        out.result({"file": file, "config": config.model_dump(mode="json")})


@app.command()
def schema(
    json: options.Json = False, quiet: options.Quiet = False, debug: options.Debug = False
) -> None:
    """Print the JSON Schema of a config, for editors."""
    with console(json, quiet, debug) as out:
        from genctl.config import config as configs

        found = configs.schema()
        out.result(found, json_module.dumps(found, indent=2))

"""The program: its commands, and how an unusable command line is told."""

import sys
from typing import Any

import typer

from genctl import __version__
from genctl.cli import configs
from genctl.cli.console import Console
from genctl.cli.encode import encode
from genctl.cli.evaluate import evaluate
from genctl.cli.reproduce import reproduce
from genctl.cli.runs import runs
from genctl.cli.sample import sample
from genctl.cli.train import train
from genctl.errors import UsageError

# The base of every complaint about a command line; typer does not export it by name.
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="genctl",
    help="Train an image generator from a YAML file, sample from it, and trust both.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, sample, encode, evaluate, reproduce, runs):
    app.command()(command)
app.add_typer(configs.app, name="configs")


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    """Train an image generator from a YAML file, sample from it, and trust both."""
    if show:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run one command and leave with its exit code."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except USAGE_ERROR as error:
        command = error.ctx.command_path if error.ctx else "genctl"
        text = error.format_message().rstrip(".")
        Console(False, False, False).error(UsageError(f"{text}; see `{command} --help`"))
        sys.exit(UsageError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)

"""All commands, and the error messages for unusable command lines."""

from typing import Any

import typer

from genctl import __version__
from genctl.cli import configs
from genctl.cli.bash_words import joined_words
from genctl.cli.bench import bench
from genctl.cli.card import card
from genctl.cli.console import console
from genctl.cli.doctor import doctor
from genctl.cli.encode import encode
from genctl.cli.evaluate import evaluate
from genctl.cli.export import export
from genctl.cli.film import film
from genctl.cli.finish import finish
from genctl.cli.report import report
from genctl.cli.reproduce import reproduce
from genctl.cli.runs import runs
from genctl.cli.sample import sample
from genctl.cli.train import train
from genctl.common.errors import UsageError

# The base class of all command line errors, which typer does not export by name.
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="genctl",
    help="Train an image generator from a YAML file, sample from it, and trust both.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, sample, encode, evaluate, reproduce, runs, export, bench, doctor):
    app.command()(command)
app.command()(report)
app.command()(film)
app.command()(card)
app.command()(finish)
app.add_typer(configs.app, name="configs")


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True
    ),
) -> None:
    """Train an image generator from a YAML file, sample from it, and trust both."""
    if show:
        with console(as_json=False, quiet=False, debug=False) as out:
            out.result({}, __version__)
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        # Reports what happens before the command opens its own console, as an unknown option.
        with console("--json" in arguments, quiet=False, debug="--debug" in arguments):
            return _run(arguments)
    except typer.Exit as left:
        return left.exit_code


def _run(arguments: list[str]) -> int:
    try:
        with joined_words():
            return app(arguments, prog_name="genctl", standalone_mode=False) or 0
    except USAGE_ERROR as error:
        command = error.ctx.command_path if error.ctx else "genctl"
        text = error.format_message().rstrip(".")
        raise UsageError(f"{text}; see `{command} --help`") from None

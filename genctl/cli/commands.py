"""All commands."""

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
from genctl.cli.help_pages import CommandGroup, complete_help
from genctl.cli.report import report
from genctl.cli.reproduce import reproduce
from genctl.cli.runs import runs
from genctl.cli.sample import sample
from genctl.cli.sweep import sweep
from genctl.cli.train import train
from genctl.cli.usage_errors import COMMAND_LINE_ERROR, as_usage_error

app = typer.Typer(
    name="genctl",
    cls=CommandGroup,
    rich_markup_mode="rich",
    help="Train an image generator from a YAML file, sample from it, and trust both.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train,
    sweep,
    finish,
    sample,
    encode,
    reproduce,
    evaluate,
    runs,
    report,
    film,
    card,
    export,
    bench,
    doctor,
):
    app.command()(command)
app.add_typer(configs.app, name="configs")
complete_help(app)


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
    except COMMAND_LINE_ERROR as error:
        raise as_usage_error(error) from None

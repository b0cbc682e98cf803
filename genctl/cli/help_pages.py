"""What every help page has: examples at its end, and no type where there is none to name."""

from typing import Any

import typer
from typer.core import TyperCommand

from genctl.cli.examples import EXAMPLES
from genctl.cli.usage_errors import SuggestingGroup


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters; an option without a value has no type, which typer calls ``<bool>``."""
        return [_without_type(param) for param in super().get_params(ctx)]


class CommandGroup(SuggestingGroup):
    """A command that has commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters; an option without a value has no type."""
        return [_without_type(param) for param in super().get_params(ctx)]


def complete_help(app: typer.Typer, path: str = "genctl") -> None:
    """Complete the help of ``app``, called ``path`` on a command line, and of its commands."""
    app.info.epilog = _epilog(path)
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        command.cls, command.epilog = Command, _epilog(f"{path} {name}")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            complete_help(group.typer_instance, f"{path} {group.name}")


def _epilog(path: str) -> str | None:
    if path not in EXAMPLES:
        return None
    return "\n".join(["[bold]Examples[/bold]", *(f"$ {example}" for example in EXAMPLES[path])])


def _without_type(param: Any) -> Any:
    if getattr(param, "is_flag", False):
        param.metavar = ""
    return param

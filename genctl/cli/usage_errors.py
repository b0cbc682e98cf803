"""Unusable command lines: typer's errors in the words of genctl, with what was probably meant."""

import re
from typing import Any

import typer
from typer.core import TyperGroup

from genctl.common.errors import UsageError
from genctl.common.nearest import did_you_mean

# The base class of all command line errors, which typer does not export by name.
COMMAND_LINE_ERROR: Any = typer.BadParameter.__bases__[0]

NOT_A_CHOICE = re.compile(r"'(?P<value>.*)' is not one of (?P<choices>.*)\.", re.DOTALL)


class SuggestingGroup(TyperGroup):
    """Commands; an unknown one is refused with the nearest."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names.

        Raises:
            UsageError: there is no such command.
        """
        name = args[0]
        is_option = name.startswith("-")
        if not is_option and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            near = did_you_mean(name, self.commands)
            raise UsageError(f"{ctx.command_path} {name}: no such command{near or _see(ctx)}")
        return super().resolve_command(ctx, args)


def as_usage_error(error: Any) -> UsageError:
    """What to tell the user about one of typer's errors."""
    context, parameter = error.ctx, getattr(error, "param", None)
    message = error.message.removeprefix("Value error, ")
    if hasattr(error, "possibilities"):  # there is no such option
        known = [name for option in context.command.get_params(context) for name in option.opts]
        near = did_you_mean(error.option_name, known)
        text = f"{context.command_path} {error.option_name}: no such option"
        return UsageError(text + (near or _see(context)))
    if parameter is not None and message:
        name = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar
        if found := NOT_A_CHOICE.fullmatch(message):
            choices = re.findall(r"'(.*?)'", found["choices"])
            near = did_you_mean(found["value"], choices)
            return UsageError(f"{name} {found['value']}: must be one of {', '.join(choices)}{near}")
        why = message.partition(", unable to ")[0].replace("Input should be", "must be")
        why = why.replace("a valid integer", "an integer").replace("a valid ", "a ")
        return UsageError(f"{name}: {why}{_see(context)}")
    text = error.format_message().rstrip(".")
    return UsageError(f"{_path(context)}: {text[:1].lower()}{text[1:]}{_see(context)}")


def _path(context: Any) -> str:
    return str(context.command_path) if context else "genctl"


def _see(context: Any) -> str:
    return f"; see `{_path(context)} --help`"

"""The examples in the help of each command are command lines that work."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from genctl.cli.commands import app
from genctl.cli.examples import EXAMPLES
from genctl.config import config as configs
from genctl.config import presets
from tests.conftest import RunGenctl

ROOT: Any = get_command(app)


def commands(command: Any, path: str) -> Iterator[str]:
    """The command and all below it, as they are typed."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{path} {name}")


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """The command that ``line`` calls, and its parameters."""
    program, *words = shlex.split(line.partition(" > ")[0])
    assert program == "genctl"
    command, path, context = ROOT, program, None
    while True:
        context = command.make_context(path.rpartition(" ")[2], words, parent=context)
        if not hasattr(command, "commands"):
            return path, context.params
        name, command, words = command.resolve_command(context, words_left(context))
        path = f"{path} {name}"


def configs_named(command: str, values: dict[str, Any]) -> list[str]:
    """The presets and files that an example reads."""
    arguments = {"show": "name", "copy": "name", "check": "file"}
    found = values.get(arguments.get(command.rpartition(" ")[2], "config")) or []
    return [found] if isinstance(found, str) else found


def words_left(context: Any) -> list[str]:
    return [*context._protected_args, *context.args]


def test_each_command_has_two_examples_and_each_example_a_command() -> None:
    assert set(EXAMPLES) == set(commands(ROOT, "genctl"))
    for path, examples in EXAMPLES.items():
        assert len(set(examples)) == 2, path


@pytest.mark.parametrize("path", EXAMPLES)
def test_help_ends_with_the_examples(genctl: RunGenctl, path: str) -> None:
    done = genctl(*path.split()[1:], "--help")
    assert (done.code, done.err) == (0, "")
    lines = [line.strip() for line in done.out.splitlines() if line.strip()]
    assert lines[-3:] == ["Examples", *(f"$ {example}" for example in EXAMPLES[path])]


@pytest.mark.parametrize(
    ("path", "line"), [(path, line) for path, lines in EXAMPLES.items() for line in lines]
)
def test_an_example_can_be_run(genctl: RunGenctl, path: str, line: str) -> None:
    command, values = parsed(line)
    assert command == path or path in ("genctl", "genctl configs")
    for config in configs_named(command, values):
        assert presets.exists(config) or config == "my.yaml"
    if path == "genctl sweep":
        assert genctl(*line.split()[1:], "--dry-run").code == 0
    elif values.get("set_"):
        configs.load(values["config"], values["set_"])


def test_a_wrong_example_would_be_found() -> None:
    from genctl.cli.usage_errors import COMMAND_LINE_ERROR
    from genctl.common.errors import UsageError

    for line in ("genctl sample --conditon x", "genctl sample --n x", "genctl trian"):
        with pytest.raises((COMMAND_LINE_ERROR, UsageError)):
            parsed(line)

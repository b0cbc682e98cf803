"""Every command prints its result to stdout and nothing else there, as its options ask."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from genctl.cli.commands import app
from tests.conftest import RunGenctl
from tests.support.quick_judges import quick_judges

LINES = (
    "train --config tiny --name tiny",
    "train --config tiny --dry-run",
    "sweep --config tiny --set training.batch_size=32,64 --dry-run",
    "finish tiny",
    "sample --n 4 --out samples.png",
    "encode digits:test[0:20] --out codes.npz",
    "reproduce tiny.png --out again.png",
    "evaluate --n 100 --seeds 1",
    "runs",
    "report --out report.html",
    "film tiny --out film.gif",
    "card tiny --out card.md",
    "doctor",
    "export --out onnx",
    "export --page page.html",
    "configs list",
    "configs show tiny",
    "configs copy tiny {new}.yaml",
    "configs new pictures --out {new}.yaml",
    "configs check tiny",
    "configs schema",
)
SILENT = ("doctor", "configs check")
"""Commands that only tell people something, on stderr."""
ELSEWHERE = {"bench"}
"""Commands that take a minute; tests/benchmark has them."""


def all_commands(command: Any, path: str = "") -> Iterator[str]:
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from all_commands(inner, f"{path}{name} ")
        else:
            yield path + name


@pytest.fixture
def with_run(
    genctl: RunGenctl, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A working directory with the run ``tiny``, a picture of its samples, and a folder of it."""
    shutil.copytree(tiny_run, tmp_path / "runs" / "tiny")
    assert genctl("sample", "--n", "1", "--out", "tiny.png").code == 0
    assert genctl("sample", "--n", "4", "--format", "png", "--out", "pictures").code == 0
    with quick_judges(tmp_path / "cache", num_images=1_000):
        yield


def check_streams(genctl: RunGenctl, line: str) -> None:
    def run(number: int, *options: str) -> Any:
        return genctl(*line.format(new=number).split(), *options)

    plain, quiet, as_json = run(1), run(2, "--quiet"), run(3, "--json")
    silent_json = run(4, "--json", "--quiet")
    for done in (plain, quiet, as_json, silent_json):
        assert done.code == 0, done.err
    assert bool(plain.out) == (not line.startswith(SILENT))
    for message in (quiet.err + silent_json.err).splitlines():
        assert message.startswith("genctl: warning: ")
    assert isinstance(as_json.json, dict)
    assert isinstance(silent_json.json, dict)
    if "{new}" not in line:
        assert quiet.out == plain.out
        assert as_json.json.keys() == silent_json.json.keys()


def test_every_command_is_tested_here() -> None:
    lines = [line.split() for line in LINES]
    tested = {" ".join(words[: 2 if words[0] == "configs" else 1]) for words in lines}
    assert tested | ELSEWHERE == set(all_commands(get_command(app)))


@pytest.mark.parametrize("line", LINES)
def test_stdout_holds_the_result_alone(genctl: RunGenctl, with_run: None, line: str) -> None:
    if line.startswith("export --out"):
        pytest.importorskip("onnxruntime")
    check_streams(genctl, line)


@pytest.mark.parametrize("command", list(all_commands(get_command(app))))
def test_a_failure_has_a_traceback_with_debug_alone(genctl: RunGenctl, command: str) -> None:
    for debug in ([], ["--debug"]):
        done = genctl(*command.split(), "--no-such-option", "--json", *debug)
        assert done.json["exit_code"] == done.code == 2
        assert ("Traceback" in done.err) == bool(debug)

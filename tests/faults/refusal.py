"""Checks of a refusal: its exit code, one line that says what to do, and no file changed."""

import re
from pathlib import Path

from genctl.common import tensors
from tests.conftest import Completed, RunGenctl
from tests.faults.stopped import require_no_traceback


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(before: dict[Path, bytes], folder: Path) -> list[str]:
    """The names of files that are new, gone or different; their contents would fill pages."""
    after = contents(folder)
    paths = sorted(before.keys() | after.keys())
    return [str(path) for path in paths if before.get(path) != after.get(path)]


def changed_outputs(before: dict[Path, bytes], folder: Path) -> set[str]:
    """The names of changed files, without locks and the files that hold stdout and stderr."""
    paths = map(Path, changed(before, folder))
    return {p.name for p in paths if p.name not in ("out", "err") and p.suffix != ".lock"}


def refuse(genctl: RunGenctl, arguments: tuple[object, ...], why: str, code: int = 65) -> Completed:
    """Run a command that must be refused without changing a file in the working directory."""
    before = contents(Path.cwd())
    done = genctl(*arguments, "--quiet")
    assert (done.code, done.out) == (code, ""), done.err
    require_line(done, why)
    assert changed(before, Path.cwd()) == []
    return done


def require_line(done: Completed, why: str) -> None:
    """Require a message of one line that names the thing, the reason and what to do."""
    (line,) = done.err.splitlines()
    assert line.startswith("genctl: error: ")
    assert why in line
    assert "; " in line, "what to do"
    assert len(line) < 3000
    assert line.isprintable()


def require_error(done: Completed, code: int, what: str) -> None:
    """Require an exit code and one error, among other lines, that says what to do."""
    assert done.code == code, done.err
    require_no_traceback(done)
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert what in line
    assert "; " in line, "what to do"


def error_lines(done: Completed) -> list[str]:
    """The errors; each must be one line that any terminal can show."""
    lines = done.err.splitlines()
    assert lines
    assert all(line.startswith("genctl: error: ") for line in lines)
    assert all(line.isprintable() and len(line) < 3000 for line in lines)
    return [line.removeprefix("genctl: error: ") for line in lines]


def require_finite_files(run: Path) -> None:
    """Require that every number in the files of a run is finite."""
    for path in run.rglob("*.safetensors"):
        kind = "model" if path.name == "model.safetensors" else "checkpoint"
        tensors.require_finite(tensors.read(path, kind)[0], path)
    metrics = run / "metrics.jsonl"
    for line in metrics.read_text().splitlines() if metrics.exists() else []:
        assert not re.search("NaN|Infinity", line)


def commands(path: Path) -> list[tuple[object, ...]]:
    """Each command that opens a model."""
    return [
        ("sample", "--run", path, "--out", "out.png"),
        ("encode", "digits:test[0:3]", "--run", path, "--out", "out.npz"),
        ("evaluate", "--run", path),
    ]


def require_sample(genctl: RunGenctl, model: Path) -> None:
    """Require that the next ordinary command works."""
    assert genctl("sample", "--run", model, "--n", 2, "--out", "next.png", "--quiet").code == 0

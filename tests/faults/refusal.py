"""What a refusal is: its exit code, one line with a way out, and not a byte changed."""

import re
from pathlib import Path

from genctl.common import tensors
from tests.conftest import Completed, RunGenctl


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(before: dict[Path, bytes], folder: Path) -> list[str]:
    """The files that are not what they were: their contents would fill pages."""
    after = contents(folder)
    paths = sorted(before.keys() | after.keys())
    return [str(path) for path in paths if before.get(path) != after.get(path)]


def made(before: dict[Path, bytes], folder: Path) -> set[str]:
    """The names of the files that are new or others, but for what was said and what only locks."""
    paths = map(Path, changed(before, folder))
    return {p.name for p in paths if p.name not in ("out", "err") and p.suffix != ".lock"}


def refuse(genctl: RunGenctl, arguments: tuple[object, ...], why: str, code: int = 65) -> Completed:
    """Run a command that must be refused, in a working directory that must stay as it is."""
    before = contents(Path.cwd())
    done = genctl(*arguments, "--quiet")
    assert (done.code, done.out) == (code, ""), done.err
    require_line(done, why)
    assert changed(before, Path.cwd()) == []
    return done


def require_line(done: Completed, why: str) -> None:
    """The message rule: one line that names the thing, the reason and the way out."""
    (line,) = done.err.splitlines()
    assert line.startswith("genctl: error: ")
    assert why in line
    assert "; " in line, "a way out"
    assert len(line) < 3000
    assert line.isprintable()


def told(done: Completed) -> list[str]:
    """The errors, each of which is one line that can be shown on any terminal."""
    lines = done.err.splitlines()
    assert lines
    assert all(line.startswith("genctl: error: ") for line in lines)
    assert all(line.isprintable() and len(line) < 3000 for line in lines)
    return [line.removeprefix("genctl: error: ") for line in lines]


def require_finite_files(run: Path) -> None:
    """Whatever was written is made of numbers."""
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


def still_draws(genctl: RunGenctl, untrained_model: Path) -> None:
    """The next ordinary command works."""
    assert (
        genctl("sample", "--run", untrained_model, "--n", 2, "--out", "next.png", "--quiet").code
        == 0
    )

"""Other commands that are asked to stop: at once, and without half of an output."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import Finished
from life import Happening, called, forked, receive
from models import save_model
from refusal import changed, contents
from scorecard import proves
from stopped import require_clean, require_told

from genctl import encoding, gallery, sampling
from genctl.judge import lessons

SAMPLE = ("sample", "--run", "run", "--n", "8", "--batch-size", "3", "--out")
COMMANDS = {
    "grid": (*SAMPLE, "grid.png"),
    "arrays": (*SAMPLE, "arrays.npz"),
    "pictures": (*SAMPLE, "new/pictures", "--format", "png"),
    "encode": ("encode", "digits:test[0:40]", "--run", "run", "--out", "codes.npz"),
    "map": ("encode", "digits:test[0:40]", "--run", "run", "--out", "codes.csv", "--plot", "m.png"),
    "evaluate": ("evaluate", "--run", "run", "--n", "40", "--seeds", "1"),
    "export": ("export", "--run", "run", "--out", "onnx"),
    "reproduce": ("reproduce", "drawn.png"),
    "runs": ("runs", "--runs", ".", "--sheet", "sheet.png"),
}
STREAMS = {"out", "err"}


@pytest.fixture(scope="module", autouse=True)
def short_lessons() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lessons, "EPOCHS", 1)
        patch.setattr(lessons, "FEWEST_LOOKS", 1_000)
        yield


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and a picture drawn from it. Do not write."""
    folder = tmp_path_factory.mktemp("workplace")
    run = folder / "run"
    run.mkdir()
    save_model(run / "model.safetensors")
    (run / "config.yaml").write_text("data: {kind: digits}\n")
    words = ["sample", "--run", "run", "--n", "1", "--out", "drawn.png"]
    assert forked(folder, words).code == 0
    return folder


@pytest.fixture
def folder(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workplace of one's own."""
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))
    shutil.copytree(workplace, tmp_path, dirs_exist_ok=True)
    return tmp_path


def made(before: dict[Path, bytes], folder: Path) -> list[str]:
    """What a command has changed, besides what it said and empty files that only lock."""
    names = (Path(name) for name in changed(before, folder))
    return [path.name for path in names if path.name not in STREAMS and path.suffix != ".lock"]


def require_stopped(
    what: str, number: int, happening: Happening, folder: Path, kept: str = "no file"
) -> None:
    """The command leaves at once and leaves nothing; the same line then does its work."""
    before = contents(folder)
    done = forked(folder, [*COMMANDS[what], "--json"], happening)
    require_told(done, 128 + number, kept)
    assert done.json["status"] == "interrupted"
    assert made(before, folder) == []
    require_clean(folder)
    again: Finished = forked(folder, list(COMMANDS[what]))
    assert again.code == 0, again.err
    assert made(before, folder) != []


AT_WORK = {
    "grid": lambda happen: called(sampling, "draw", happen, 2),
    "arrays": lambda happen: called(sampling, "draw", happen, 3),
    "pictures": lambda happen: called(sampling, "draw", happen, 3),
    "encode": lambda happen: called(encoding, "resolve", happen),
    "map": lambda happen: called(encoding, "plot", happen),
    "evaluate": lambda happen: called(lessons, "_batch", happen, 3),
    "export": lambda happen: called(torch.onnx, "export", happen, 2),
    "reproduce": lambda happen: called(sampling, "draw", happen),
    "runs": lambda happen: called(gallery, "_row", happen),
}


@proves("B1", "EMNR")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("what", [name for name in AT_WORK if name != "export"])
def test_a_command_that_is_stopped_at_work_leaves_nothing(
    what: str, number: int, folder: Path
) -> None:
    require_stopped(what, number, AT_WORK[what](receive(number)), folder)


@proves("B1", "EMNR")
@pytest.mark.parametrize("what", [name for name in COMMANDS if name not in ("export", "map")])
def test_a_command_that_is_stopped_amid_writing_leaves_nothing(what: str, folder: Path) -> None:
    require_stopped(what, signal.SIGTERM, called(os, "fsync", receive(signal.SIGTERM)), folder)


def test_an_export_that_is_stopped_leaves_nothing(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs `pip install .[onnx]`")
    require_stopped("export", signal.SIGINT, AT_WORK["export"](receive(signal.SIGINT)), folder)
    assert sorted(path.name for path in (folder / "onnx").iterdir()) == [
        "encoder.onnx", "generator.onnx",
    ]  # fmt: skip


@proves("B1", "NR")
def test_a_folder_that_was_empty_before_is_empty_after(folder: Path) -> None:
    (folder / "new" / "pictures").mkdir(parents=True)
    require_stopped(
        "pictures", signal.SIGTERM, AT_WORK["pictures"](receive(signal.SIGTERM)), folder
    )
    assert (folder / "new" / "pictures").is_dir()

"""Other commands that are asked to stop: at once, and without half of an output."""

import os
import signal
from pathlib import Path

import pytest
import torch

from genctl.evaluation import lessons
from genctl.inference import code_map, encoding, run_sheet, sampling
from tests.conftest import Finished
from tests.faults.refusal import contents, made
from tests.faults.stopped import require_clean, require_told
from tests.support.life import Happening, called, forked, receive

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


def require_stopped(what: str, number: int, happening: Happening, desk: Path) -> None:
    """The command leaves at once and leaves nothing; the same line then does its work."""
    before = contents(desk)
    done = forked(desk, [*COMMANDS[what], "--json"], happening)
    require_told(done, 128 + number, "no file was left half written")
    assert done.json["status"] == "interrupted"
    assert made(before, desk) == set()
    require_clean(desk)
    again: Finished = forked(desk, list(COMMANDS[what]))
    assert again.code == 0, again.err
    assert made(before, desk) != set()


AT_WORK = {  # a function that the command calls, and which of its calls
    "grid": (sampling, "generate", 2),
    "arrays": (sampling, "generate", 3),
    "pictures": (sampling, "generate", 3),
    "encode": (encoding, "encode_dataset", 1),
    "map": (code_map, "plot", 1),
    "evaluate": (lessons, "_batch", 3),
    "export": (torch.onnx, "export", 2),
    "reproduce": (sampling, "generate", 1),
    "runs": (run_sheet, "_scaled", 1),
}


def at_work(what: str, number: int) -> Happening:
    owner, name, call = AT_WORK[what]
    return called(owner, name, receive(number), call)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("what", [name for name in AT_WORK if name != "export"])
def test_a_command_that_is_stopped_at_work_leaves_nothing(
    what: str, number: int, desk: Path
) -> None:
    require_stopped(what, number, at_work(what, number), desk)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("what", [name for name in COMMANDS if name not in ("export", "map")])
def test_a_command_that_is_stopped_amid_writing_leaves_nothing(what: str, desk: Path) -> None:
    require_stopped(what, signal.SIGTERM, called(os, "fsync", receive(signal.SIGTERM)), desk)


def test_an_export_that_is_stopped_leaves_nothing(desk: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs `pip install .[onnx]`")
    require_stopped("export", signal.SIGINT, at_work("export", signal.SIGINT), desk)
    assert sorted(path.name for path in (desk / "onnx").iterdir()) == [
        "encoder.onnx", "generator.onnx",
    ]  # fmt: skip


@pytest.mark.fault("B1")
def test_a_folder_that_was_empty_before_is_empty_after(desk: Path) -> None:
    (desk / "new" / "pictures").mkdir(parents=True)
    require_stopped("pictures", signal.SIGTERM, at_work("pictures", signal.SIGTERM), desk)
    assert (desk / "new" / "pictures").is_dir()

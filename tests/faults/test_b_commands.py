"""Other commands that are stopped: at once, and without partial outputs."""

import os
import signal
from pathlib import Path

import pytest
import torch

from genctl.evaluation import judge_training
from genctl.export import interpreter
from genctl.inference import code_map, encoding, run_sheet, sampling
from tests.conftest import Completed
from tests.faults.refusal import changed_outputs, contents
from tests.faults.stopped import require_interrupted, require_no_partial_files
from tests.support.processes import Fault, on_call, run_forked, send_signals

SAMPLE = ("sample", "--run", "run", "--n", "8", "--batch-size", "3", "--out")
COMMANDS = {
    "grid": (*SAMPLE, "grid.png"),
    "arrays": (*SAMPLE, "arrays.npz"),
    "pictures": (*SAMPLE, "new/pictures", "--format", "png"),
    "encode": ("encode", "digits:test[0:40]", "--run", "run", "--out", "codes.npz"),
    "map": ("encode", "digits:test[0:40]", "--run", "run", "--out", "codes.csv", "--plot", "m.png"),
    "evaluate": ("evaluate", "--run", "run", "--n", "40", "--seeds", "1"),
    "export": ("export", "--run", "run", "--out", "onnx"),
    "page": ("export", "--run", "run", "--page", "new/page.html"),
    "reproduce": ("reproduce", "samples.png"),
    "runs": ("runs", "--runs", ".", "--sheet", "sheet.png"),
}


def require_stopped(what: str, number: int, fault: Fault, work_folder: Path) -> None:
    """The command stops and leaves no files; the same command then does its work."""
    before = contents(work_folder)
    done = run_forked(work_folder, [*COMMANDS[what], "--json"], fault)
    require_interrupted(done, 128 + number, "no file was left half written")
    assert done.json["status"] == "interrupted"
    assert changed_outputs(before, work_folder) == set()
    require_no_partial_files(work_folder)
    again: Completed = run_forked(work_folder, list(COMMANDS[what]))
    assert again.code == 0, again.err
    assert changed_outputs(before, work_folder) != set()


STOPPED_IN = {  # a function that the command calls, and the number of the call
    "grid": (sampling, "generate", 2),
    "arrays": (sampling, "generate", 3),
    "pictures": (sampling, "generate", 3),
    "encode": (encoding, "encode_dataset", 1),
    "map": (code_map, "plot", 1),
    "evaluate": (judge_training, "_batch", 3),
    "export": (torch.onnx, "export", 2),
    "page": (interpreter, "run", 2),
    "reproduce": (sampling, "generate", 1),
    "runs": (run_sheet, "_scaled", 1),
}


def signal_during(what: str, number: int) -> Fault:
    owner, name, call = STOPPED_IN[what]
    return on_call(owner, name, send_signals(number), call)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("what", [name for name in STOPPED_IN if name != "export"])
def test_a_command_that_is_stopped_leaves_no_files(
    what: str, number: int, work_folder: Path
) -> None:
    require_stopped(what, number, signal_during(what, number), work_folder)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("what", [name for name in COMMANDS if name not in ("export", "map")])
def test_a_command_that_is_stopped_while_it_writes_leaves_no_files(
    what: str, work_folder: Path
) -> None:
    require_stopped(
        what, signal.SIGTERM, on_call(os, "fsync", send_signals(signal.SIGTERM)), work_folder
    )


def test_an_export_that_is_stopped_leaves_no_files(work_folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs `pip install .[onnx]`")
    require_stopped("export", signal.SIGINT, signal_during("export", signal.SIGINT), work_folder)
    assert sorted(path.name for path in (work_folder / "onnx").iterdir()) == [
        "encoder.onnx", "generator.onnx",
    ]  # fmt: skip


@pytest.mark.fault("B1")
def test_a_folder_that_was_there_before_is_not_deleted(work_folder: Path) -> None:
    (work_folder / "new" / "pictures").mkdir(parents=True)
    require_stopped(
        "pictures", signal.SIGTERM, signal_during("pictures", signal.SIGTERM), work_folder
    )
    assert (work_folder / "new" / "pictures").is_dir()

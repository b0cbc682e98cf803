"""A run that goes on in another environment says so, and says what it costs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Completed
from tests.faults.resuming import RUN
from tests.support.processes import (
    Fault,
    all_of,
    no_fault,
    read_metrics,
    require_same,
    run_training,
    signal_after_step,
)

OTHER = {
    "torch": "2.9.0",
    "genctl": "0.0.1",
    "device": "cuda",
    "device_name": "NVIDIA H100",
    "threads": 64,
}
"""ModelMetadata of a machine on which a run may have begun."""


def environment(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RUN / "environment.json").read_text())
    return found


def stop(folder: Path, *more: str, step: int, fault: Fault = no_fault) -> Completed:
    """One part of a run, which is asked to stop."""
    done = run_training(
        folder, *more, fault=all_of(fault, signal_after_step(signal.SIGTERM, step=step))
    )
    assert done.code == 143, done.err
    return done


def warnings(done: Completed) -> list[str]:
    return [line for line in done.err.splitlines() if "warning" in line]


def two_threads() -> None:
    torch.set_num_threads(2)


@pytest.mark.fault("A7")
@pytest.mark.parametrize("field", OTHER)
def test_another_environment_is_told_once_and_recorded(
    field: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    stop(tmp_path, step=11)
    here = environment(tmp_path)
    there = json.dumps(here | {field: OTHER[field]})
    (tmp_path / RUN / "environment.json").write_text(there)  # as if it had begun over there
    done = run_training(tmp_path)
    assert done.code == 0
    (line,) = warnings(done)
    assert line == (
        f"genctl: warning: resumed in another environment ({field} {OTHER[field]} -> "
        f"{here[field]}): the result will not be bit for bit that of an uninterrupted run"
    )
    assert environment(tmp_path) == here | {"bit_exact": False}
    require_same(
        tmp_path / RUN, uninterrupted_run
    )  # only said to be elsewhere: nothing else differs
    assert "already complete" in run_training(tmp_path).err


@pytest.mark.fault("A7")
def test_other_threads_are_told_and_what_was_not_exact_stays_so(tmp_path: Path) -> None:
    short = ("--set", "training.images=224")  # two threads on one busy core are slow
    stop(tmp_path, *short, step=11)
    assert environment(tmp_path)["threads"] == 1
    (line,) = warnings(stop(tmp_path, *short, step=1, fault=two_threads))
    assert "(threads 1 -> 2)" in line
    assert environment(tmp_path)["bit_exact"] is False
    done = run_training(tmp_path, *short, fault=two_threads)
    assert done.code == 0
    assert warnings(done) == []  # told once
    assert environment(tmp_path)["bit_exact"] is False
    assert done.json["images"] == 224
    assert [line["images"] for line in read_metrics(tmp_path / RUN)] == [48, 96, 144, 192]


@pytest.mark.fault("A7")
def test_the_same_environment_is_nothing_to_tell(uninterrupted_run: Path, tmp_path: Path) -> None:
    stop(tmp_path, step=11)
    assert "bit_exact" not in environment(tmp_path)  # nothing was resumed yet
    done = run_training(tmp_path)
    assert done.code == 0
    assert warnings(done) == []
    assert environment(tmp_path)["bit_exact"] is True
    require_same(tmp_path / RUN, uninterrupted_run)

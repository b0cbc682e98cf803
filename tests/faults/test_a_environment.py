"""A run that is resumed in another environment warns that it is not bit-exact."""

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
"""The environment of another machine."""


def environment(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RUN / "environment.json").read_text())
    return found


def stop(folder: Path, *more: str, step: int, fault: Fault = no_fault) -> Completed:
    """Train a part of a run, and stop it."""
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
def test_another_environment_causes_one_warning_and_is_recorded(
    field: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    stop(tmp_path, step=11)
    here = environment(tmp_path)
    other = json.dumps(here | {field: OTHER[field]})
    (tmp_path / RUN / "environment.json").write_text(other)
    done = run_training(tmp_path)
    assert done.code == 0
    (line,) = warnings(done)
    assert line == (
        f"genctl: warning: resumed in another environment ({field} {OTHER[field]} -> "
        f"{here[field]}): the result will not be bit for bit that of an uninterrupted run"
    )
    assert environment(tmp_path) == here | {"bit_exact": False}
    require_same(tmp_path / RUN, uninterrupted_run)  # nothing else was changed
    assert "already complete" in run_training(tmp_path).err


@pytest.mark.fault("A7")
def test_another_number_of_threads_causes_a_warning_and_is_recorded_for_good(
    tmp_path: Path,
) -> None:
    short = ("--set", "training.images=224")  # two threads on one busy core are slow
    stop(tmp_path, *short, step=11)
    assert environment(tmp_path)["threads"] == 1
    (line,) = warnings(stop(tmp_path, *short, step=1, fault=two_threads))
    assert "(threads 1 -> 2)" in line
    assert environment(tmp_path)["bit_exact"] is False
    done = run_training(tmp_path, *short, fault=two_threads)
    assert done.code == 0
    assert warnings(done) == []
    assert environment(tmp_path)["bit_exact"] is False
    assert done.json["images"] == 224
    assert [line["images"] for line in read_metrics(tmp_path / RUN)] == [48, 96, 144, 192]


@pytest.mark.fault("A7")
def test_the_same_environment_causes_no_warning(uninterrupted_run: Path, tmp_path: Path) -> None:
    stop(tmp_path, step=11)
    assert "bit_exact" not in environment(tmp_path)  # nothing was resumed yet
    done = run_training(tmp_path)
    assert done.code == 0
    assert warnings(done) == []
    assert environment(tmp_path)["bit_exact"] is True
    require_same(tmp_path / RUN, uninterrupted_run)

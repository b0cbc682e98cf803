"""Folders and locks without write permission."""

import ctypes
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genctl.runs.run import Run
from genctl.training import session
from tests.faults.refusal import changed, contents, require_error
from tests.faults.stopped import (
    RUN,
    children_cpu_seconds,
    require_same_after_resuming,
)
from tests.support.processes import (
    Fault,
    after_step,
    checkpointed_images,
    no_fault,
    on_call,
    run_forked,
    run_training,
    signal_after_step,
)


def without_root_rights(fault: Fault = no_fault) -> Fault:
    """Give up root's capability to write anywhere, so that permissions apply."""

    def happen() -> None:
        if os.geteuid() == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            version, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
            assert libc.capget(version, sets) == 0
            for position in (0, 1):  # effective, permitted
                sets[position] &= ~(1 << 1)  # CAP_DAC_OVERRIDE
            assert libc.capset(version, sets) == 0
        fault()

    return happen


@pytest.mark.fault("C2")
@pytest.mark.parametrize("place", ["runs", "runs/run", "runs/run/checkpoints", "runs/run/samples"])
def test_a_folder_without_write_permission_is_reported_before_data_is_loaded(
    place: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    if place == "runs":
        (tmp_path / "runs").mkdir()
    else:
        stop = without_root_rights(signal_after_step(signal.SIGTERM, step=11))
        assert run_training(tmp_path, fault=stop).code == 143
    (tmp_path / place).chmod(0o555)
    before = contents(tmp_path / "runs")

    def load(*_: Any) -> None:
        raise AssertionError("the error comes before the data is loaded")

    used = children_cpu_seconds()
    done = run_training(tmp_path, fault=without_root_rights(on_call(session, "load_data", load)))
    assert children_cpu_seconds() - used < 3
    require_error(done, 73, f" {place}")
    assert done.json["exit_code"] == 73
    assert changed(before, tmp_path / "runs") == []
    (tmp_path / place).chmod(0o755)
    require_same_after_resuming(tmp_path, uninterrupted_run)


def read_only(place: str) -> Callable[[Any], None]:
    return lambda _: Path(place).chmod(0o555)


@pytest.mark.fault("C2")
@pytest.mark.parametrize("place", ["runs/run", "runs/run/checkpoints", "runs/run/samples"])
@pytest.mark.parametrize("step", [1, 15, 29])
def test_a_folder_that_loses_its_write_permission_ends_the_run(
    step: int, place: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(tmp_path, fault=without_root_rights(after_step(step, read_only(place))))
    require_error(done, 74, "Permission denied; make it writable and run the same command again")
    assert done.json["exit_code"] == 74
    assert len(checkpointed_images(tmp_path / RUN)) == min(step // 8, 2)
    (tmp_path / place).chmod(0o755)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C2")
def test_a_run_whose_folder_is_deleted_reports_it(tmp_path: Path) -> None:
    done = run_training(tmp_path, fault=after_step(11, lambda _: shutil.rmtree(RUN)))
    require_error(done, 74, str(RUN))
    assert run_training(tmp_path).code == 0


@pytest.mark.fault("C2")
def test_a_result_that_cannot_be_written_is_reported(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        on_call(Run, "write_result", lambda: Path(RUN).chmod(0o555))()

    done = run_training(tmp_path, fault=without_root_rights(fault))
    require_error(done, 74, "result.json")
    (tmp_path / RUN).chmod(0o755)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C2")
def test_a_lock_without_write_permission_is_reported(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    """The lock may belong to another user's run."""
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=11)).code == 143
    lock = tmp_path / RUN / ".lock"
    lock.chmod(0o444)
    require_error(run_training(tmp_path, fault=without_root_rights()), 73, ".lock: no permission")
    lock.chmod(0o644)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C2")
@pytest.mark.parametrize(
    "words",
    [("sample", "--out", "closed/a.png"), ("sample", "--out", "closed/a.npz"),
     ("sample", "--out", "closed/new/a.png"), ("sample", "--out", "closed/pictures", "--format",
     "png"), ("encode", "digits:test[0:3]", "--out", "closed/a.csv")],
)  # fmt: skip
def test_other_commands_report_a_folder_without_write_permission(
    words: tuple[str, ...], untrained_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.safetensors"
    shutil.copy(untrained_model, model)
    model.chmod(0o644)
    (tmp_path / "closed").mkdir(mode=0o555)
    line = [*words, "--run", "model.safetensors"]
    require_error(run_forked(tmp_path, line, without_root_rights()), 73, "closed")
    assert list((tmp_path / "closed").iterdir()) == []
    (tmp_path / "closed").chmod(0o777)
    assert run_forked(tmp_path, line, without_root_rights()).code == 0

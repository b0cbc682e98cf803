"""Two processes in one run, and run directories that hold something else."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.refusal import changed, contents, require_error
from tests.faults.stopped import RUN, require_same_after_resuming
from tests.support.processes import (
    Fault,
    after_step,
    run_forked,
    run_training,
    signal_after_step,
    start_forked,
    train_arguments,
    wait_for,
)

# -- C4: two processes -----------------------------------------------------------------------------


def waiting_at(step: int) -> tuple[Fault, int, int]:
    """A fault that waits after a step, a pipe that tells of it, and one that ends it."""
    reached, tell = os.pipe()
    wait, resume = os.pipe()

    def wait_in_step(_: Any) -> None:
        os.write(tell, b".")
        os.read(wait, 1)

    return after_step(step, wait_in_step), reached, resume


@pytest.mark.fault("C4")
def test_a_second_process_is_refused_and_the_first_undisturbed(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, reached, resume = waiting_at(11)
    first = start_forked(tmp_path, train_arguments(), fault)
    os.read(reached, 1)
    run = tmp_path / RUN
    before = contents(run)
    (tmp_path / "second").mkdir()
    for more in ((), ("--fresh",)):
        words = [*train_arguments(*more), "--runs", str(tmp_path / "runs")]
        second = run_forked(tmp_path / "second", words)
        holder = f"process {first} on {os.uname().nodename}"
        require_error(second, 75, f"{holder} is using it; wait for it")
        assert second.json["exit_code"] == 75
    listed = run_forked(tmp_path / "second", ["runs", "--runs", str(tmp_path / "runs"), "--json"])
    assert [row["status"] for row in listed.json["runs"]] == ["running"]
    assert changed(before, run) == []
    os.write(resume, b".")
    assert wait_for(tmp_path, first).code == 0
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C4")
def test_the_lock_of_a_killed_process_is_free_at_once(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, reached, _ = waiting_at(11)
    first = start_forked(tmp_path, train_arguments(), fault)
    os.read(reached, 1)
    os.kill(first, signal.SIGKILL)
    assert wait_for(tmp_path, first).code == -signal.SIGKILL
    listed = run_forked(tmp_path, ["runs", "--json"])
    assert [row["status"] for row in listed.json["runs"]] == ["interrupted"]
    require_same_after_resuming(tmp_path, uninterrupted_run)


# -- C5: something else is in the way --------------------------------------------------------------


@pytest.mark.fault("C5")
def test_fresh_renames_an_old_run_without_changing_a_byte(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted_run, tmp_path / RUN)
    before = {path.relative_to(tmp_path / RUN): content
              for path, content in contents(tmp_path / RUN).items()}  # fmt: skip
    done = run_training(tmp_path, "--fresh", fault=signal_after_step(signal.SIGTERM, step=11))
    assert done.code == 143
    assert "renamed the old run to runs/run.old-1" in done.err
    renamed = tmp_path / "runs" / "run.old-1"
    assert {
        path.relative_to(renamed): content for path, content in contents(renamed).items()
    } == before
    assert run_forked(tmp_path, ["sample", "--run", "run.old-1", "--n", "1"]).code == 0
    require_same_after_resuming(tmp_path, uninterrupted_run)


FOREIGN: dict[str, dict[str, str]] = {
    "a text": {"run/thesis.tex": "mine"},
    "hidden": {"run/.thesis": "mine"},
    "in a folder": {"run/thesis/chapter.tex": "mine"},
    "in a folder that runs have too": {"run/samples/mine.png": "mine"},
    "as a file called like a folder of runs": {"run/checkpoints": "mine"},
    "with a config.yaml": {"run/config.yaml": "title: thesis\n", "run/thesis.tex": "mine"},
    "with an invalid config.yaml": {"run/config.yaml": "\x00", "run/thesis.tex": "mine"},
    "as a file": {"run": "mine"},
    "in place of the folder of all runs": {"../runs": "mine"},
}


@pytest.mark.fault("C5")
@pytest.mark.parametrize("fresh", [(), ("--fresh",)])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_a_run_is_left_alone_to_the_last_byte(
    what: str, fresh: tuple[str, ...], tmp_path: Path
) -> None:
    for name, text in FOREIGN[what].items():
        path = Path(os.path.normpath(tmp_path / "runs" / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = everything(tmp_path)
    done = run_training(tmp_path, *fresh)
    require_error(done, 73, "runs")
    assert done.json["exit_code"] == 73
    assert everything(tmp_path) == before
    more = ("--name", "other", "--runs", "elsewhere", "--set", "training.images=16")
    assert run_training(tmp_path, *more).code == 0


def everything(folder: Path) -> dict[str, Any]:
    """Content and time of everything below a folder, except captured stdout and stderr."""
    return {
        str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
        if path.name not in ("out", "err")
    }

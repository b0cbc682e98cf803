"""A run that is killed, anywhere and often, ends with the bits of an uninterrupted one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from genctl.training.trainer import Trainer
from tests.conftest import REPOSITORY, run_genctl
from tests.faults.disk import killed_when
from tests.faults.resuming import RUN, newest_checkpoint, require_resumed, train_until_killed
from tests.support.processes import (
    Fault,
    after_step,
    kill_after,
    kill_at_replace,
    require_same,
    run_training,
    signal_after_step,
)

EVERY = 128  # images from one checkpoint of a short run to the next
EPOCH = 1497  # images
SEED, TRIALS = 1, 20


def kill(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# -- A1: at random moments ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.fault("A1")
def test_killed_at_twenty_random_moments_it_is_the_same_run(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    chance, kills = random.Random(SEED), 0
    started = time.monotonic()
    assert run_training(tmp_path / "timed").code == 0
    seconds = time.monotonic() - started
    while kills < TRIALS:
        moment = chance.uniform(0, seconds)
        print(f"seed {SEED}: killed after {moment:.3f} of {seconds:.3f} s")
        folder = tmp_path / f"{moment}"
        if train_until_killed(folder, every=EVERY, fault=kill_after(moment)) is None:
            continue  # it was completed before
        require_resumed(folder, reference=uninterrupted_run)
        kills += 1


# -- A2: again and again --------------------------------------------------------------------------

EPOCHS = ("--set", "training.images=3200", "--set", "training.batch_size=64",
          "--set", "training.checkpoint_every=512", "--set", "training.log_every=320")  # fmt: skip


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of more than two epochs."""
    folder = tmp_path_factory.mktemp("epochs")
    assert run_training(folder, *EPOCHS).code == 0
    return folder / RUN


def kill_after_resuming() -> None:
    """SIGKILL after the checkpoint was loaded and before the first step."""
    Trainer.train = kill  # type: ignore


SIX = {
    "before the first checkpoint": (after_step(5, kill), 0),
    "in the first epoch": (after_step(10, kill), 512),
    "at once after resuming": (kill_after_resuming, 512),
    "one step after resuming": (after_step(1, kill), 512),
    "in the second epoch": (after_step(20, kill), 1536),
    "in the second epoch again, one step after resuming": (after_step(1, kill), 1536),
}
"""When it is killed, and the images of the newest checkpoint at that time."""


@pytest.mark.fault("A2")
def test_killed_six_times_it_is_the_same_run(epochs: Path, tmp_path: Path) -> None:
    for fault, newest in SIX.values():
        assert train_until_killed(tmp_path, *EPOCHS, every=512, fault=fault) == newest
    require_resumed(tmp_path, *EPOCHS, reference=epochs)


@pytest.mark.fault("A2")
def test_killed_at_one_file_after_another_it_is_the_same_run(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    chance, kills = random.Random(0), 0
    for _ in range(40):
        fault = kill_at_replace(chance.randint(1, 9), done=chance.random() < 0.5)
        if train_until_killed(tmp_path, every=EVERY, fault=fault) is None:
            break
        kills += 1
    assert kills >= 3
    require_same(tmp_path / RUN, uninterrupted_run)


# -- A4: before, between and after checkpoints ----------------------------------------------------


@pytest.mark.fault("A4")
@pytest.mark.parametrize("file", [1, 2, 3, 5])
def test_killed_at_its_first_files_it_starts_again(
    file: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    for done in (False, True):
        assert train_until_killed(tmp_path, every=EVERY, fault=kill_at_replace(file, done)) == 0
    require_resumed(tmp_path, reference=uninterrupted_run)


@pytest.mark.fault("A4")
def test_killed_before_its_first_checkpoint_it_starts_again(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault = signal_after_step(signal.SIGKILL, step=7)
    assert train_until_killed(tmp_path, every=EVERY, fault=fault) == 0
    assert f"training {RUN} on cpu" in require_resumed(tmp_path, reference=uninterrupted_run).err


@pytest.mark.fault("A4")
@pytest.mark.parametrize("batch", [EPOCH // 3, 400])  # divides the epoch, or not
def test_killed_in_every_step_around_the_end_of_an_epoch_it_is_the_same_run(
    batch: int, tmp_path: Path
) -> None:
    images = {"images": 6 * batch, "batch_size": batch, "checkpoint_every": batch}
    words = [word for name, n in images.items() for word in ("--set", f"training.{name}={n}")]
    assert run_training(tmp_path / "alone", *words).code == 0
    run = tmp_path / "killed"
    for step in range(1, 6):
        second = after_step(2, kill)  # saved after the first step of its part
        assert train_until_killed(run, *words, every=batch, fault=second) == step * batch
    require_resumed(run, *words, reference=tmp_path / "alone" / RUN)


ENDS: dict[str, tuple[Fault, str]] = {
    "after the last save": (killed_when("after unlink", "256.safetensors"), "from 480 images"),
    "before the result": (killed_when("before replace", "result.json"), "from 480 images"),
    "after the result": (killed_when("after replace", "result.json"), "already complete"),
    "at the very end": (killed_when("after close", ".lock"), "already complete"),
}


@pytest.mark.fault("A4")
@pytest.mark.parametrize("moment", ENDS)
def test_killed_after_the_last_save_it_trains_on_nothing_again(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, message = ENDS[moment]
    assert train_until_killed(tmp_path, every=0, fault=fault) == 480
    assert message in require_resumed(tmp_path, reference=uninterrupted_run).err


@pytest.mark.fault("A4")
def test_a_complete_run_is_not_touched(tmp_path: Path) -> None:
    first = run_training(tmp_path)
    runs = tmp_path / "runs"
    times = {path: path.stat().st_mtime_ns for path in (runs, *runs.rglob("*"))}
    again = run_training(tmp_path)
    assert again.code == 0
    assert "already complete" in again.err
    assert again.json == first.json
    assert {path: path.stat().st_mtime_ns for path in (runs, *runs.rglob("*"))} == times
    assert len(times) > 10


# -- real processes -------------------------------------------------------------------------------

LINE = ["train", "--config", "tiny", "--name", "run", "--quiet", "--set",
        "training.checkpoint_every=640"]  # fmt: skip


def start(folder: Path) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, "-m", "genctl", *LINE], cwd=folder, env=environment)


def killed_at_line(lines: int, folder: Path) -> int:
    """Train until metrics.jsonl has ``lines`` more lines, then SIGKILL."""
    goal = len(logged(folder)) + lines
    process = start(folder)
    while process.poll() is None and len(logged(folder)) < goal:
        time.sleep(0.005)
    process.kill()
    return process.wait()


def logged(folder: Path) -> list[dict[str, Any]]:
    metrics = folder / RUN / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True) if metrics.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """An uninterrupted run of the preset tiny, and the seconds that it takes."""
    folder, started = tmp_path_factory.mktemp("alone"), time.monotonic()
    assert run_genctl(*LINE, cwd=folder).code == 0
    return folder / RUN, time.monotonic() - started


@pytest.mark.slow
@pytest.mark.fault("A1")
def test_a_process_killed_at_twenty_random_moments_is_the_same_run(
    alone: tuple[Path, float], tmp_path: Path
) -> None:
    reference, seconds = alone
    chance, kills = random.Random(SEED), 0
    while kills < TRIALS:
        moment = chance.uniform(0, seconds)
        print(f"seed {SEED}: killed after {moment:.3f} of {seconds:.3f} s")
        folder = tmp_path / f"{moment}"
        process = start(folder)
        try:
            assert process.wait(moment) == 0
            continue  # it was completed before
        except subprocess.TimeoutExpired:
            process.kill()
        assert process.wait() == -signal.SIGKILL
        seen = max((record["images"] for record in logged(folder)), default=0)
        assert seen - newest_checkpoint(folder) <= 640
        assert run_genctl(*LINE, cwd=folder).code == 0
        require_same(folder / RUN, reference)
        kills += 1


@pytest.mark.slow
@pytest.mark.fault("A2")
def test_a_process_killed_six_times_is_the_same_run(
    alone: tuple[Path, float], tmp_path: Path
) -> None:
    for lines in (1, 4, 1, 3, 5, 2):
        assert killed_at_line(lines, tmp_path) == -signal.SIGKILL
    assert run_genctl(*LINE, cwd=tmp_path).code == 0
    require_same(tmp_path / RUN, alone[0])

"""genctl finish: asking runs in every state to end soon."""

import json
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Completed, RunGenctl
from tests.support.processes import (
    run_forked,
    run_training,
    signal_after_step,
    start_forked,
    train_arguments,
    wait_for,
)

ENDLESS = ("--set", "training.images=100000000", "--set", "training.checkpoint_every=1000000")


def run_path(folder: Path) -> Path:
    return folder / "runs" / "run"


@contextmanager
def running(folder: Path, *more: str) -> Iterator[int]:
    """A run that never ends by itself, once it takes steps."""
    pid = start_forked(folder, train_arguments(*ENDLESS, *more))
    metrics = run_path(folder) / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists():
        assert time.monotonic() < deadline, (folder / "err").read_text()
        time.sleep(0.05)
    yield pid


def ended(folder: Path, pid: int) -> Completed:
    return wait_for(folder, pid)


def test_a_running_run_ends_with_a_model(genctl: RunGenctl, tmp_path: Path) -> None:
    with running(tmp_path) as pid:
        done = genctl("finish", "--within", "2", "--wait", "--json")
        run = ended(tmp_path, pid)
    assert (done.code, run.code) == (0, 0), done.err + run.err
    assert done.err.startswith("runs/run finishes within 2 s, at ")
    assert done.json == run.json
    result = run.json
    assert (result["status"], result["stopped_by"]) == ("complete", "finish")
    assert result["images"] == result["finish"]["end"] > result["finish"]["images"]
    assert (tmp_path / result["model"]).exists()
    assert (tmp_path / result["samples"]).exists()
    again = run_training(tmp_path, *ENDLESS)
    assert again.json == result
    assert "already complete" in again.err
    asked_again = genctl("finish", "run", "--json")
    assert (asked_again.code, asked_again.err) == (0, "runs/run is already complete\n")


def test_a_run_that_was_asked_before_keeps_its_end(genctl: RunGenctl, tmp_path: Path) -> None:
    with running(tmp_path) as pid:
        first = genctl("finish", "run", "--within", "60", "--json").json
        second = genctl("finish", "run", "--within", "5", "--json")
        assert first["status"] == "running"
        assert first["finish"]["within"] == 60
        assert (second.code, second.json["finish"]) == (0, first["finish"])
        assert f"finishes within 60 s, at {first['finish']['end']:,} images" in second.err
        os.kill(pid, signal.SIGTERM)
        assert ended(tmp_path, pid).code == 143


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The folder of a run that was interrupted after 80 images."""
    done = run_training(tmp_path, *ENDLESS, fault=signal_after_step(signal.SIGTERM, step=5))
    assert done.code == 143
    return tmp_path


def test_an_interrupted_run_finishes_once_it_is_resumed(
    genctl: RunGenctl, interrupted: Path
) -> None:
    done = genctl("finish", "run", "--within", "3", "--json")
    assert done.code == 0
    answer: dict[str, Any] = done.json
    assert (answer["status"], answer["finish"]) == ("interrupted", None)
    assert done.err == (
        "runs/run is not running; it will finish within 3 s once it is resumed: "
        f"{answer['resume']}\n"
    )
    words = shlex.split(answer["resume"])
    assert words[:2] == ["genctl", "train"]
    resumed = run_forked(interrupted, [*words[1:], "--json"])
    assert resumed.code == 0, resumed.err
    assert "asked to finish within 3 s" in resumed.err
    assert resumed.json["stopped_by"] == "finish"


def test_waiting_for_an_interrupted_run_is_an_error(genctl: RunGenctl, interrupted: Path) -> None:
    done = genctl("finish", "run", "--wait", "--json")
    assert done.code == done.json["exit_code"] == 69
    assert "cannot finish runs/run: it is interrupted; it will end once it is resumed" in done.err


def test_a_finished_run_with_a_larger_budget_is_trained_on(tmp_path: Path) -> None:
    run = run_path(tmp_path)
    assert run_training(tmp_path).code == 0
    result = json.loads((run / "result.json").read_text())
    early = {"within": 5.0, "images": 320, "progress": 0.5, "end": 480}
    (run / "result.json").write_text(
        json.dumps(result | {"stopped_by": "finish", "finish": early, "images": 479})
    )
    (run / "finish.json").write_text(json.dumps(early))
    (run / ".finish-request.json").write_text('{"within": 5.0}')
    assert "already complete" in run_training(tmp_path).err
    assert "already complete" in run_training(tmp_path, "--set", "training.images=400").err
    done = run_training(tmp_path, "--set", "training.images=640")
    assert (done.code, done.json["images"]) == (0, 640)
    assert (done.json["stopped_by"], done.json["finish"]) == ("images", None)
    assert not (run / "finish.json").exists()
    assert not (run / ".finish-request.json").exists()


def test_a_diverged_run_cannot_finish(genctl: RunGenctl, tmp_path: Path) -> None:
    assert run_training(tmp_path, "--set", "optimizer.learning_rate=1e20").code == 3
    done = genctl("finish", "run", "--json")
    assert done.code == done.json["exit_code"] == 3
    assert "cannot finish runs/run: it diverged" in done.err
    assert not (run_path(tmp_path) / ".finish-request.json").exists()


def test_a_run_that_is_not_there_is_an_error(genctl: RunGenctl) -> None:
    done = genctl("finish", "nothing")
    assert done.code == 66
    assert "cannot find the run nothing" in done.err
    done = genctl("finish")
    assert done.code == 66
    assert "cannot find a running run in runs" in done.err


def test_a_model_file_is_no_run(genctl: RunGenctl, untrained_model: Path) -> None:
    done = genctl("finish", untrained_model)
    assert done.code == 2
    assert "it is a model file, not a run" in done.err


@pytest.mark.parametrize("within", ["0", "-1", "nan", "inf", "soon"])
def test_the_time_must_be_sensible(within: str, genctl: RunGenctl, tmp_path: Path) -> None:
    assert genctl("finish", "run", "--within", within).code == 2
    assert list(tmp_path.iterdir()) == []

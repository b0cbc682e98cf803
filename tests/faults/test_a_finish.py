"""A8: a run that was asked to finish ends with the same bits, however often it is killed."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from genctl.runs import early_end
from genctl.runs.run import Run
from genctl.training import finish
from genctl.training.trainer import Trainer
from tests.faults.resuming import RUN
from tests.support.processes import (
    Fault,
    after_step,
    all_of,
    on_call,
    require_same,
    run_training,
)

LINEAR = ("--set", "optimizer.schedule=linear")
ASKED, END = 224, 320  # images; the checkpoint before is that after 128, and the budget is 480


def look_at_once() -> None:
    """Look for a request before each step, and find that there is time for 96 more images."""
    finish.INTERVAL = 0.0
    finish.affordable_images = lambda *_: END - ASKED + 7


def asked_after(images: int) -> Fault:
    """The request arrives when the run has seen ``images``."""
    ask = after_step(images // 16, lambda _: early_end.write_request(Run(RUN), within=5))
    return all_of(look_at_once, ask)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def recorded(folder: Path) -> Any:
    return json.loads((folder / RUN / "finish.json").read_text())


def progress_is_noted(path: Path) -> Fault:
    """Append the progress of each step to a file."""

    def inject() -> None:
        step = Trainer.take_step

        def noted(self: Trainer, progress: float) -> None:
            with path.open("a") as file:
                file.write(f"{self.state.images} {progress}\n")
            step(self, progress)

        Trainer.take_step = noted  # type: ignore

    return inject


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was asked to finish and never interrupted. Do not write."""
    folder = tmp_path_factory.mktemp("finished")
    fault = all_of(progress_is_noted(folder / "progress"), asked_after(ASKED))
    done = run_training(folder, *LINEAR, fault=fault)
    assert done.code == 0, done.err
    assert "asked to finish within 5 s: the schedule ends after 96 more images" in done.err
    assert done.json["stopped_by"] == "finish"
    assert done.json["images"] == END
    assert done.json["finish"] == recorded(folder)
    return folder


@pytest.mark.fault("A8")
def test_progress_goes_straight_from_there_to_the_end(finished: Path) -> None:
    assert recorded(finished) == {
        "within": 5.0, "images": ASKED, "progress": ASKED / 480, "end": END,
    }  # fmt: skip
    for line in (finished / "progress").read_text().splitlines():
        images, progress = int(line.split()[0]), float(line.split()[1])
        if images < ASKED:
            assert progress == images / 480
        else:
            left = (END - images) / (END - ASKED)
            assert progress == pytest.approx(1 - (1 - ASKED / 480) * left)


@pytest.mark.fault("A8")
@pytest.mark.parametrize("more_steps", [0, 1, 5])
def test_killed_after_the_request_it_ends_the_same(
    more_steps: int, tmp_path: Path, finished: Path
) -> None:
    if more_steps:
        killed = after_step(ASKED // 16 + more_steps, lambda _: kill())
    else:  # the record is written, and no step has followed it
        killed = on_call(Trainer, "take_step", kill, number=ASKED // 16 + 1)
    done = run_training(tmp_path, *LINEAR, fault=all_of(killed, asked_after(ASKED)))
    assert done.code == -signal.SIGKILL
    assert recorded(tmp_path) == recorded(finished)
    assert run_training(tmp_path, *LINEAR).code == 0
    require_same(tmp_path / RUN, finished / RUN)


@pytest.mark.fault("A8")
def test_killed_again_and_again_it_ends_the_same(tmp_path: Path, finished: Path) -> None:
    for step in (15, 9, 2):  # after 240 images; resumed from 128; resumed from 256
        fault = all_of(after_step(step, lambda _: kill()), asked_after(ASKED))
        assert run_training(tmp_path, *LINEAR, fault=fault).code == -signal.SIGKILL
    assert run_training(tmp_path, *LINEAR).code == 0
    require_same(tmp_path / RUN, finished / RUN)


@pytest.mark.fault("A8")
def test_a_damaged_record_is_refused(tmp_path: Path, finished: Path) -> None:
    fault = all_of(after_step(17, lambda _: kill()), asked_after(ASKED))
    assert run_training(tmp_path, *LINEAR, fault=fault).code == -signal.SIGKILL
    record = tmp_path / RUN / "finish.json"
    whole = record.read_text()
    for damaged in ("", "{}", whole.replace("320", "100"), whole.replace("5.0", "NaN"), "[1]"):
        record.write_text(damaged)
        done = run_training(tmp_path, *LINEAR)
        assert done.code == 65, damaged
        assert f"genctl: error: cannot use {RUN}/finish.json: not what" in done.err
    record.write_text(whole)
    assert run_training(tmp_path, *LINEAR).code == 0
    require_same(tmp_path / RUN, finished / RUN)

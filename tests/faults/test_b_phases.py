"""Runs that are stopped in every phase: no training is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision import datasets

from genctl.common import files
from genctl.data import downloads
from genctl.data.digits import Digits
from genctl.evaluation import judge_training
from genctl.evaluation.scorer import Scorer
from genctl.inference.sample_grid import SampleGrid
from genctl.objectives.nonsaturating import NonSaturating
from genctl.runs import model_file
from genctl.runs.run import Run
from genctl.training import outputs, session, train
from genctl.training.trainer import Trainer
from tests.conftest import REPOSITORY, Completed, run_genctl
from tests.faults.mirror import Mirrors, mirrors, small_set
from tests.faults.refusal import contents
from tests.faults.stopped import (
    MAX_SECONDS,
    RUN,
    children_cpu_seconds,
    require_interrupted,
    require_no_partial_files,
    require_no_traceback,
    require_same_after_resuming,
    run_signalled_at_import,
)
from tests.support.processes import (
    SCORED,
    Fault,
    after_step,
    checkpointed_images,
    differing_parts,
    on_call,
    outcome,
    run_forked,
    run_training,
    send_signals,
    signal_after_step,
    start_forked,
    train_arguments,
    wait_for,
)

TERMINATE = send_signals(signal.SIGTERM)


def run_and_stop(folder: Path, words: list[str], fault: Fault) -> Completed:
    """Run genctl with a fault that stops it, which must not take long."""
    before = children_cpu_seconds()
    done = run_forked(folder, words, fault)
    assert children_cpu_seconds() - before < MAX_SECONDS
    return done


# -- before the first step ------------------------------------------------------------------------


@pytest.mark.fault("B1")
@pytest.mark.parametrize(
    "module", ["typer", "yaml", "torch", "numpy", "torch.nn", "genctl.training.trainer"]
)
def test_during_imports_it_stops_and_leaves_no_files(module: str, tmp_path: Path) -> None:
    number = signal.SIGINT if module == "torch.nn" else signal.SIGTERM
    done = run_signalled_at_import(module, number, train_arguments(), tmp_path)
    require_interrupted(done, 128 + number, "no file was left half written")
    assert contents(tmp_path) == {}


BEFORE = {
    "while the device is chosen": on_call(train, "choose_device", TERMINATE),
    "while the folder is made": on_call(files, "make_folder", TERMINATE, 2),
    "while the lock is taken": on_call(os, "fsync", TERMINATE),
    "while the config is written": on_call(os, "fsync", TERMINATE, 3),
    "while the data is read": on_call(Digits, "load", TERMINATE, 2),
    "while the networks are built": on_call(session, "build_model", TERMINATE),
    "while the checkpoint is read": on_call(session, "resume", TERMINATE),
    "while environment.json is written": on_call(Run, "write_environment", TERMINATE),
    "while TensorBoard is opened": on_call(session, "TensorBoard", TERMINATE),
    "while the end is rehearsed": on_call(Trainer, "rehearse_end", TERMINATE),
    "while the end is rehearsed: samples": on_call(SampleGrid, "render", TERMINATE),
}


@pytest.mark.fault("B1")
@pytest.mark.parametrize("moment", BEFORE)
def test_before_the_first_step_a_run_stops_at_once(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    more = ("--max-time", "1000000") if "rehears" in moment else ()
    done = run_and_stop(tmp_path, train_arguments(*more), BEFORE[moment])
    # ": nothing was trained yet", or ": no file was left half written" before there is a run.
    require_interrupted(done, 143, ": no")
    assert done.json["status"] == "interrupted"
    assert done.json["exit_code"] == 143
    require_no_partial_files(tmp_path)
    assert checkpointed_images(tmp_path / RUN) == []
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("moment", ["while the data is read", "while the checkpoint is read"])
def test_a_resumed_run_keeps_its_checkpoint(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=11)).code == 143
    done = run_and_stop(tmp_path, train_arguments(), BEFORE[moment])
    require_interrupted(done, 143, "checkpoint at 176 images")
    assert (done.json["status"], done.json["images"]) == ("interrupted", 176)
    assert checkpointed_images(tmp_path / RUN) == ["128", "176"]
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    with mirrors(small_set(), monkeypatch) as found:
        monkeypatch.setattr(downloads, "TIMEOUT", 60.0)
        yield found


@pytest.mark.fault("B1")
def test_during_a_download_it_stops_at_once_and_keeps_no_partial_file(
    served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = train_arguments("--set", "data.kind=kmnist", "--set", "data.root=data")
    assert run_forked(tmp_path / "alone", words).code == 0
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("slow")])
    pid = start_forked(tmp_path / "stopped", words)
    assert served.started.wait(60)
    started = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    done = wait_for(tmp_path / "stopped", pid)
    assert time.monotonic() - started < MAX_SECONDS
    require_interrupted(done, 143, "nothing was trained yet")
    left = [path.name for path in (tmp_path / "stopped" / "data").rglob("*")]
    assert left == [".genctl-download.lock"]
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("good")])
    assert run_forked(tmp_path / "stopped", words).code == 0
    ends = [outcome(tmp_path / name / RUN) for name in ("alone", "stopped")]
    assert differing_parts(*ends) == []


# -- from the first step on -----------------------------------------------------------------------

DURING = {
    "in the first step": (on_call(NonSaturating, "terms", TERMINATE), 16),
    "during a step": (on_call(NonSaturating, "terms", TERMINATE, 22), 176),
    "after a step": (signal_after_step(signal.SIGTERM, step=11), 176),
    "while metrics are written": (on_call(Run, "log", TERMINATE, 2), 96),
    "while the first grid is rendered": (on_call(SampleGrid, "render", TERMINATE, 1), 16),
    "while a later grid is rendered": (on_call(SampleGrid, "render", TERMINATE, 3), 256),
    "while the model is written": (on_call(model_file, "write", TERMINATE, 2), 256),
    "while a checkpoint is written": (on_call(outputs, "save_checkpoint", TERMINATE, 2), 256),
    "while old checkpoints are deleted": (on_call(Run, "prune_checkpoints", TERMINATE, 2), 256),
    "in the last step": (on_call(NonSaturating, "terms", TERMINATE, 60), 480),
}


@pytest.mark.fault("B1")
@pytest.mark.parametrize("moment", DURING)
def test_a_run_saves_a_checkpoint_of_the_current_step(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, images = DURING[moment]
    done = run_and_stop(tmp_path, train_arguments(), fault)
    require_interrupted(done, 143, f"checkpoint at {images} images")
    assert (done.json["status"], done.json["images"]) == ("interrupted", images)
    run = tmp_path / RUN
    assert checkpointed_images(run)[-1] == str(images)
    assert Run(run).status() == "interrupted"
    assert (run / "model.safetensors").exists()  # so that sampling works
    require_no_partial_files(tmp_path)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B1")
@pytest.mark.parametrize("file", [1, 2, 3])
def test_a_save_is_finished_first(file: int, uninterrupted_run: Path, tmp_path: Path) -> None:
    def fault() -> None:
        after_step(8, lambda _: on_call(os, "fsync", TERMINATE, 2 * file - 1)())()

    done = run_and_stop(tmp_path, train_arguments(), fault)
    require_interrupted(done, 143, "checkpoint at 128 images")
    require_no_partial_files(tmp_path)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B1")
def test_a_signal_while_the_last_files_are_written_leaves_a_complete_run(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_and_stop(
        tmp_path, train_arguments(), on_call(outputs, "save_checkpoint", TERMINATE, 4)
    )
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    assert "already complete" in run_training(tmp_path).err


# -- scores ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short_judge_training() -> Iterator[pytest.MonkeyPatch]:
    """Judges trained for a second, the same for all runs that are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge_training, "EPOCHS", 1)
        patch.setattr(judge_training, "MIN_IMAGES", 2_000)
        yield patch


@pytest.fixture(scope="module")
def scored(
    tmp_path_factory: pytest.TempPathFactory, short_judge_training: pytest.MonkeyPatch
) -> Path:
    """The folder of an uninterrupted run with scores, and of its judge."""
    folder = tmp_path_factory.mktemp("scored")
    short_judge_training.setenv("GENCTL_CACHE", str(folder / "cache"))
    done = run_forked(folder, train_arguments(settings=SCORED))
    assert done.code == 0, done.err
    return folder


@pytest.mark.fault("B1")
def test_while_a_judge_is_trained_it_stops_at_once(
    scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))

    def long_judge_training() -> None:
        judge_training.MIN_IMAGES = 10_000_000
        on_call(judge_training, "_batch", TERMINATE, 3)()

    done = run_and_stop(tmp_path, train_arguments(settings=SCORED), long_judge_training)
    require_interrupted(done, 143, "nothing was trained yet")
    assert list((tmp_path / "cache").rglob("*.safetensors")) == []
    assert run_forked(tmp_path, train_arguments(settings=SCORED)).code == 0
    assert differing_parts(outcome(tmp_path / RUN), outcome(scored / RUN)) == []


@pytest.mark.fault("B1")
@pytest.mark.parametrize("call", [1, 2])
def test_while_samples_are_scored_it_saves_a_checkpoint_and_the_score(
    call: int, scored: Path, tmp_path: Path
) -> None:
    done = run_and_stop(
        tmp_path, train_arguments(settings=SCORED), on_call(Scorer, "score", TERMINATE, call)
    )
    require_interrupted(done, 143, f"checkpoint at {96 * call} images")
    assert run_forked(tmp_path, train_arguments(settings=SCORED)).code == 0
    assert differing_parts(outcome(tmp_path / RUN), outcome(scored / RUN)) == []


# -- at any moment --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.fault("B1")
def test_at_random_moments_of_a_real_process_it_stops_and_resumes(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    chance = random.Random(0)
    started = time.monotonic()
    assert run_genctl(*train_arguments(), cwd=tmp_path).code == 0
    wall = time.monotonic() - started
    for trial in range(12):
        folder, moment = tmp_path / str(trial), chance.uniform(0.1, wall)
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "genctl", *train_arguments()], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=4 * MAX_SECONDS)  # the machine may be busy
        done = Completed(process.returncode, out, err)
        # -15 and no message: before genctl handles signals, or after its end.
        assert done.code in (143, -signal.SIGTERM, 0), (trial, moment, err)
        require_no_traceback(done)
        require_no_partial_files(folder)
        require_same_after_resuming(folder, uninterrupted_run)


@pytest.mark.fault("B1")
def test_a_signal_whose_exception_is_dropped_is_obeyed_after_the_next_step(tmp_path: Path) -> None:
    """Python drops what is raised in a destructor, and C code may drop it too."""

    class Signaller:
        def __del__(self) -> None:
            TERMINATE()

    def delete_one() -> None:
        Signaller()

    done = run_forked(tmp_path, train_arguments(), on_call(session, "load_data", delete_one))
    assert done.code == 143
    assert checkpointed_images(tmp_path / RUN) == ["16"]

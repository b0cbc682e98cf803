"""The signals: once, twice, ignored, and SIGUSR1, which only asks for a checkpoint."""

import json
import os
import random
import signal
from pathlib import Path

import pytest

from genctl.cli.console import Console
from genctl.common import tensors
from genctl.common.files import PREFIX
from genctl.training import outputs, session
from genctl.training.trainer import Trainer
from tests.conftest import Completed
from tests.faults.stopped import (
    RUN,
    require_interrupted,
    require_no_traceback,
    require_same_after_resuming,
    run_signalled_at_import,
)
from tests.support.processes import (
    after_step,
    checkpointed_images,
    differing_parts,
    on_call,
    outcome,
    run_training,
    send_signals,
    signal_after_step,
    train_arguments,
)

# -- B2: once, twice, and of each kind -------------------------------------------------------------


@pytest.mark.fault("B2")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_each_signal_has_its_exit_code_and_saves_a_checkpoint(
    number: int, code: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(tmp_path, fault=signal_after_step(number, step=11))
    require_interrupted(done, code, f"by {signal.Signals(number).name}: checkpoint at 176 images")
    assert done.json["exit_code"] == code
    assert checkpointed_images(tmp_path / RUN) == ["128", "176"]
    require_same_after_resuming(tmp_path, uninterrupted_run)


def require_stopped_at_once(done: Completed, folder: Path) -> None:
    """It printed no result, and every checkpoint is intact."""
    assert done.code == 130
    assert done.out == ""
    require_no_traceback(done)
    for path in (folder / RUN / "checkpoints").glob("[!.]*"):
        tensors.read(path, "checkpoint")


TWICE = send_signals(signal.SIGINT, signal.SIGINT)


def twice_during_a_checkpoint() -> None:
    """Two interrupts when the checkpoint is written, but does not have its name yet."""

    def arm() -> None:
        on_call(os, "fsync", TWICE)()

    on_call(outputs, "save_checkpoint", arm, 2)()


@pytest.mark.fault("B2")
@pytest.mark.parametrize("moment", ["after a step", "during a checkpoint"])
def test_the_second_interrupt_stops_it_at_once_and_leaves_intact_files(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    during = moment == "during a checkpoint"
    fault = twice_during_a_checkpoint if during else after_step(11, lambda _: TWICE())
    done = run_training(tmp_path, fault=fault)
    require_stopped_at_once(done, tmp_path)
    assert checkpointed_images(tmp_path / RUN) == ["128"]
    assert bool(list(tmp_path.rglob(f"{PREFIX}*"))) == during  # the next start deletes it
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B2")
def test_the_second_interrupt_stops_it_even_while_it_prints_the_error(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        on_call(session, "load_data", send_signals(signal.SIGINT))()
        on_call(Console, "error", send_signals(signal.SIGINT))()

    require_stopped_at_once(run_training(tmp_path, fault=fault), tmp_path)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B2")
def test_a_hangup_that_nohup_ignores_is_ignored(uninterrupted_run: Path, tmp_path: Path) -> None:
    def fault() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        on_call(session, "load_data", send_signals(signal.SIGHUP))()
        signal_after_step(signal.SIGHUP, step=5)()

    assert run_training(tmp_path, fault=fault).code == 0
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []


# -- B3: checkpoints on demand --------------------------------------------------------------------


@pytest.mark.fault("B3")
@pytest.mark.parametrize("seed", [0, 1])
def test_five_checkpoints_on_demand_change_nothing(
    seed: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    between = sorted(set(range(1, 30)) - {8, 16, 24})  # steps without a checkpoint of their own
    requested = sorted(random.Random(seed).sample(between, 5))
    seen: list[list[str]] = []

    def look(_: Trainer) -> None:
        seen.append(checkpointed_images(Path(RUN)))
        Path("seen").write_text(json.dumps(seen))

    def fault() -> None:
        for step in requested:
            signal_after_step(signal.SIGUSR1, step=step)()
            after_step(step + 1, look)()

    done = run_training(tmp_path, fault=fault)
    assert done.code == 0, done.err
    require_no_traceback(done)
    assert "error" not in done.err
    looks = json.loads((tmp_path / "seen").read_text())
    assert all(str(16 * step) in found for step, found in zip(requested, looks, strict=True))
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    assert run_training(tmp_path).json == done.json


@pytest.mark.fault("B3")
def test_a_request_during_imports_does_not_end_the_run(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    """Its default action would end the process."""
    done = run_signalled_at_import("torch", signal.SIGUSR1, train_arguments(), tmp_path)
    assert done.code == 0, done.err
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []


@pytest.mark.fault("B3")
def test_a_run_can_resume_from_one(uninterrupted_run: Path, tmp_path: Path) -> None:
    def fault() -> None:
        signal_after_step(signal.SIGUSR1, step=11)()
        signal_after_step(signal.SIGKILL, step=13)()

    assert run_training(tmp_path, fault=fault).code == -signal.SIGKILL
    assert checkpointed_images(tmp_path / RUN) == ["128", "176"]
    require_same_after_resuming(tmp_path, uninterrupted_run)

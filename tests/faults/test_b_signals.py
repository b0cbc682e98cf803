"""The signals themselves: once, twice, ignored, and the one that only asks for a checkpoint."""

import json
import os
import random
import signal
from pathlib import Path

import pytest

from genctl.cli.console import Console
from genctl.common import tensors
from genctl.common.files import PREFIX
from genctl.training import checkpoint, session
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
def test_each_signal_has_its_code_and_leaves_a_checkpoint(
    number: int, code: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(tmp_path, fault=signal_after_step(number, step=11))
    require_interrupted(done, code, f"by {signal.Signals(number).name}: checkpoint at 176 images")
    assert done.json["exit_code"] == code
    assert checkpointed_images(tmp_path / RUN) == ["128", "176"]
    require_same_after_resuming(tmp_path, uninterrupted_run)


def require_untorn(done: Completed, folder: Path) -> None:
    """It left at once, with nothing finished and nothing half written where it would be used."""
    assert done.code == 130
    assert done.out == ""
    require_no_traceback(done)
    for path in (folder / RUN / "checkpoints").glob("[!.]*"):
        tensors.read(path, "checkpoint")


TWICE = send_signals(signal.SIGINT, signal.SIGINT)


def amid_the_file_of_a_checkpoint() -> None:
    """Two interrupts when all of it is written, but not under its name yet."""

    def arm() -> None:
        on_call(os, "fsync", TWICE)()

    on_call(checkpoint.State, "save", arm, 2)()


@pytest.mark.fault("B2")
@pytest.mark.parametrize("moment", ["after a step", "amid the file of a checkpoint"])
def test_the_second_interrupt_ends_it_at_once_and_tears_nothing(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    amid = moment == "amid the file of a checkpoint"
    fault = amid_the_file_of_a_checkpoint if amid else after_step(11, lambda _: TWICE())
    done = run_training(tmp_path, fault=fault)
    require_untorn(done, tmp_path)
    assert checkpointed_images(tmp_path / RUN) == ["128"]
    assert bool(list(tmp_path.rglob(f"{PREFIX}*"))) == amid  # what the next start takes away
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B2")
def test_the_second_interrupt_ends_even_its_telling(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        on_call(session, "load_data", send_signals(signal.SIGINT))()
        on_call(Console, "error", send_signals(signal.SIGINT))()

    require_untorn(run_training(tmp_path, fault=fault), tmp_path)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("B2")
def test_a_hangup_that_was_asked_to_be_ignored_is_ignored(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
        on_call(session, "load_data", send_signals(signal.SIGHUP))()
        signal_after_step(signal.SIGHUP, step=5)()

    assert run_training(tmp_path, fault=fault).code == 0
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []


# -- B3: checkpoints on demand --------------------------------------------------------------------


@pytest.mark.fault("B3")
@pytest.mark.parametrize("seed", [0, 1])
def test_five_checkpoints_on_demand_disturb_nothing(
    seed: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    between = sorted(set(range(1, 30)) - {8, 16, 24})  # steps that are followed by no checkpoint
    asked = sorted(random.Random(seed).sample(between, 5))
    seen: list[list[str]] = []

    def look(_: Trainer) -> None:
        seen.append(checkpointed_images(Path(RUN)))
        Path("seen").write_text(json.dumps(seen))

    def fault() -> None:
        for step in asked:
            signal_after_step(signal.SIGUSR1, step=step)()
            after_step(step + 1, look)()

    done = run_training(tmp_path, fault=fault)
    assert done.code == 0, done.err
    require_no_traceback(done)
    assert "error" not in done.err
    looks = json.loads((tmp_path / "seen").read_text())
    assert all(str(16 * step) in found for step, found in zip(asked, looks, strict=True))
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    assert run_training(tmp_path).json == done.json  # complete, as ever


@pytest.mark.fault("B3")
def test_one_that_is_asked_for_before_anything_was_learned_ends_nothing(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    """Nobody who sends it every minute knows when torch is loaded; unheard, it would kill."""
    done = run_signalled_at_import("torch", signal.SIGUSR1, train_arguments(), tmp_path)
    assert done.code == 0, done.err
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []


@pytest.mark.fault("B3")
def test_a_run_can_go_on_from_one(uninterrupted_run: Path, tmp_path: Path) -> None:
    def fault() -> None:
        signal_after_step(signal.SIGUSR1, step=11)()
        signal_after_step(signal.SIGKILL, step=13)()

    assert run_training(tmp_path, fault=fault).code == -signal.SIGKILL
    assert checkpointed_images(tmp_path / RUN) == ["128", "176"]
    require_same_after_resuming(tmp_path, uninterrupted_run)

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
from tests.conftest import Finished
from tests.faults.stopped import RUN, loading, require_no_traceback, require_reference, require_told
from tests.support.life import (
    after_step,
    arguments,
    called,
    checkpoints,
    differing,
    live,
    outcome,
    receive,
    signalled,
)

# -- B2: once, twice, and of each kind -------------------------------------------------------------


@pytest.mark.fault("B2")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_each_signal_has_its_code_and_leaves_a_checkpoint(
    number: int, code: int, untouched: Path, tmp_path: Path
) -> None:
    done = live(tmp_path, happening=signalled(number, step=11))
    require_told(done, code, f"by {signal.Signals(number).name}: checkpoint at 176 images")
    assert done.json["exit_code"] == code
    assert checkpoints(tmp_path / RUN) == ["128", "176"]
    require_reference(tmp_path, untouched)


def require_untorn(done: Finished, folder: Path) -> None:
    """It left at once, with nothing finished and nothing half written where it would be used."""
    assert done.code == 130
    assert done.out == ""
    require_no_traceback(done)
    for path in (folder / RUN / "checkpoints").glob("[!.]*"):
        tensors.read(path, "checkpoint")


TWICE = receive(signal.SIGINT, signal.SIGINT)


def amid_the_file_of_a_checkpoint() -> None:
    """Two interrupts when all of it is written, but not under its name yet."""

    def arm() -> None:
        called(os, "fsync", TWICE)()

    called(checkpoint.State, "save", arm, 2)()


@pytest.mark.fault("B2")
@pytest.mark.parametrize("moment", ["after a step", "amid the file of a checkpoint"])
def test_the_second_interrupt_ends_it_at_once_and_tears_nothing(
    moment: str, untouched: Path, tmp_path: Path
) -> None:
    amid = moment == "amid the file of a checkpoint"
    happening = amid_the_file_of_a_checkpoint if amid else after_step(11, lambda _: TWICE())
    done = live(tmp_path, happening=happening)
    require_untorn(done, tmp_path)
    assert checkpoints(tmp_path / RUN) == ["128"]
    assert bool(list(tmp_path.rglob(f"{PREFIX}*"))) == amid  # what the next start takes away
    require_reference(tmp_path, untouched)


@pytest.mark.fault("B2")
def test_the_second_interrupt_ends_even_its_telling(untouched: Path, tmp_path: Path) -> None:
    def happening() -> None:
        called(session, "load_data", receive(signal.SIGINT))()
        called(Console, "error", receive(signal.SIGINT))()

    require_untorn(live(tmp_path, happening=happening), tmp_path)
    require_reference(tmp_path, untouched)


@pytest.mark.fault("B2")
def test_a_hangup_that_was_asked_to_be_ignored_is_ignored(untouched: Path, tmp_path: Path) -> None:
    def happening() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
        called(session, "load_data", receive(signal.SIGHUP))()
        signalled(signal.SIGHUP, step=5)()

    assert live(tmp_path, happening=happening).code == 0
    assert differing(outcome(tmp_path / RUN), outcome(untouched)) == []


# -- B3: checkpoints on demand --------------------------------------------------------------------


@pytest.mark.fault("B3")
@pytest.mark.parametrize("seed", [0, 1])
def test_five_checkpoints_on_demand_disturb_nothing(
    seed: int, untouched: Path, tmp_path: Path
) -> None:
    between = sorted(set(range(1, 30)) - {8, 16, 24})  # steps that are followed by no checkpoint
    asked = sorted(random.Random(seed).sample(between, 5))
    seen: list[list[str]] = []

    def look(_: Trainer) -> None:
        seen.append(checkpoints(Path(RUN)))
        Path("seen").write_text(json.dumps(seen))

    def happening() -> None:
        for step in asked:
            signalled(signal.SIGUSR1, step=step)()
            after_step(step + 1, look)()

    done = live(tmp_path, happening=happening)
    assert done.code == 0, done.err
    require_no_traceback(done)
    assert "error" not in done.err
    looks = json.loads((tmp_path / "seen").read_text())
    assert all(str(16 * step) in found for step, found in zip(asked, looks, strict=True))
    assert differing(outcome(tmp_path / RUN), outcome(untouched)) == []
    assert live(tmp_path).json == done.json  # complete, as ever


@pytest.mark.fault("B3")
def test_one_that_is_asked_for_before_anything_was_learned_ends_nothing(
    untouched: Path, tmp_path: Path
) -> None:
    """Nobody who sends it every minute knows when torch is loaded; unheard, it would kill."""
    done = loading("torch", signal.SIGUSR1, arguments(), tmp_path)
    assert done.code == 0, done.err
    assert differing(outcome(tmp_path / RUN), outcome(untouched)) == []


@pytest.mark.fault("B3")
def test_a_run_can_go_on_from_one(untouched: Path, tmp_path: Path) -> None:
    def happening() -> None:
        signalled(signal.SIGUSR1, step=11)()
        signalled(signal.SIGKILL, step=13)()

    assert live(tmp_path, happening=happening).code == -signal.SIGKILL
    assert checkpoints(tmp_path / RUN) == ["128", "176"]
    require_reference(tmp_path, untouched)

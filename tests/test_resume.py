"""A run that was asked to stop, or found its files damaged or its disk full, is the same run.

What was killed is in tests/faults/test_a_*.py.
"""

import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life import (
    after_step,
    checkpoints,
    differing,
    disk_full_at,
    live,
    metrics,
    outcome,
    signalled,
)

from genctl import tensors
from genctl.files import PREFIX
from genctl.run import Run

Reference = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """An uninterrupted run, and what is left of it."""
    folder = tmp_path_factory.mktemp("reference")
    done = live(folder)
    assert done.code == 0, done.err
    return folder / "run", outcome(folder / "runs" / "run")


def assert_is_reference(folder: Path, reference: Reference) -> None:
    assert differing(outcome(folder / "runs" / "run"), reference[1]) == []
    leftovers = list(folder.rglob(f"{PREFIX}*"))
    assert leftovers == []


def test_two_uninterrupted_runs_are_the_same(tmp_path: Path, reference: Reference) -> None:
    live(tmp_path)
    assert_is_reference(tmp_path, reference)
    assert [line["images"] for line in metrics(tmp_path / "runs" / "run")] == list(
        range(48, 481, 48)
    )
    assert len(reference[1]["samples"]) == 4


# -- asked to stop --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_a_checkpoint_of_the_very_step(
    number: int, code: int, tmp_path: Path, reference: Reference
) -> None:
    done = live(tmp_path, happening=signalled(number, step=11))
    assert done.code == done.json["exit_code"] == code
    assert done.json["status"] == "interrupted"
    assert done.json["images"] == 11 * 16
    assert "checkpoint at 176 images" in done.err
    run = tmp_path / "runs" / "run"
    assert checkpoints(run) == ["128", "176"]
    assert Run(run).status() == "interrupted"
    assert live(tmp_path).code == 0
    assert_is_reference(tmp_path, reference)


def test_the_second_signal_ends_it_at_once(tmp_path: Path, reference: Reference) -> None:
    done = live(tmp_path, happening=signalled(signal.SIGTERM, signal.SIGINT, step=11))
    assert done.code == 130
    assert done.out == ""  # nothing was finished
    assert checkpoints(tmp_path / "runs" / "run") == ["128"]
    assert live(tmp_path).code == 0
    assert_is_reference(tmp_path, reference)


def test_a_checkpoint_on_demand_disturbs_nothing(tmp_path: Path, reference: Reference) -> None:
    seen: list[list[str]] = []

    def look(_: Any) -> None:
        seen.append(checkpoints(Path("runs/run")))
        Path("seen").write_text(json.dumps(seen))

    def happening() -> None:
        signalled(signal.SIGUSR1, step=11)()
        after_step(12, look)()

    assert live(tmp_path, happening=happening).code == 0
    assert json.loads((tmp_path / "seen").read_text()) == [["128", "176"]]
    assert_is_reference(tmp_path, reference)


def test_a_hangup_that_was_asked_to_be_ignored_is_ignored(
    tmp_path: Path, reference: Reference
) -> None:
    def happening() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
        signalled(signal.SIGHUP, step=5)()

    assert live(tmp_path, happening=happening).code == 0
    assert_is_reference(tmp_path, reference)


# -- damage ---------------------------------------------------------------------------------------


def interrupted(folder: Path, step: int = 17) -> Path:
    """A run that was asked to stop; returns its newest checkpoint."""
    assert live(folder, happening=signalled(signal.SIGTERM, step=step)).code == 143
    return sorted((folder / "runs" / "run" / "checkpoints").glob("*.safetensors"))[-1]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_a_damaged_checkpoint_is_put_aside_for_the_one_before(
    damage: Callable[[Path], None], tmp_path: Path, reference: Reference
) -> None:
    newest = interrupted(tmp_path)
    damage(newest)
    done = live(tmp_path)
    assert done.code == 0
    assert f"warning: cannot use {newest.relative_to(tmp_path)}" in done.err
    assert "going on from the checkpoint before it" in done.err
    assert "from 256 images" in done.err
    assert newest.with_suffix(".damaged").exists()
    assert_is_reference(tmp_path, reference)


def test_where_all_checkpoints_are_damaged_it_begins_again(
    tmp_path: Path, reference: Reference
) -> None:
    interrupted(tmp_path)
    for path in (tmp_path / "runs" / "run" / "checkpoints").iterdir():
        cut(path)
    done = live(tmp_path)
    assert done.code == 0
    assert done.err.count("genctl: warning: cannot use") == 3
    assert_is_reference(tmp_path, reference)


@pytest.mark.parametrize(
    "name", ["000000256.safetensors", "000000256.png", "model.safetensors", "result.json"]
)
def test_a_full_disk_leaves_the_checkpoint_before_it(
    name: str, tmp_path: Path, reference: Reference
) -> None:
    done = live(tmp_path, happening=disk_full_at(name))
    assert done.code == 74
    assert name in done.err
    assert "No space left on device" in done.err
    assert "bytes needed" in done.err
    assert list(tmp_path.rglob(f"{PREFIX}*")) == []
    for path in (tmp_path / "runs" / "run" / "checkpoints").iterdir():
        tensors.read(path, "checkpoint")  # whole
    assert live(tmp_path).code == 0
    assert_is_reference(tmp_path, reference)


def test_a_disk_that_stays_full_tells_the_first_failure(tmp_path: Path) -> None:
    def happening() -> None:
        disk_full_at("000000256.safetensors")()
        after_step(16, lambda _: disk_full_at("result.json")())()

    done = live(tmp_path, happening=happening)
    assert done.code == done.json["exit_code"] == 74
    errors = [line for line in done.err.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert "000000256.safetensors" in errors[0]


def test_a_limit_on_the_size_of_files_is_a_failed_write_too(
    tmp_path: Path, reference: Reference
) -> None:
    def limit(_: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # reached by TensorBoard first

    done = live(tmp_path, happening=after_step(12, limit))
    assert done.code == 74, done.err
    assert "File too large" in done.err
    assert live(tmp_path).code == 0
    assert_is_reference(tmp_path, reference)


# -- more to do -----------------------------------------------------------------------------------


def test_a_raised_budget_extends_the_run(tmp_path: Path) -> None:
    more = ("--set", "training.images=640")
    live(tmp_path / "at_once", *more)
    live(tmp_path / "extended")
    done = live(tmp_path / "extended", *more)
    assert done.code == 0
    assert "training.images goes from 480 to 640" in done.err
    once, extended = (outcome(tmp_path / name / "runs" / "run") for name in ("at_once", "extended"))
    extended["samples"].pop("000000480.png")  # where it first ended
    assert differing(once, extended) == []

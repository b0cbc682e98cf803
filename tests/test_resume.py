"""A run that was interrupted, however often and however rudely, is the run that never was."""

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life import (
    differing,
    killed_at_replace,
    live,
    metrics,
    outcome,
    signalled,
)

from genctl.checkpoint import State
from genctl.files import PREFIX

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


# -- killed ---------------------------------------------------------------------------------------


def test_killed_at_any_file_it_is_the_same_run(tmp_path: Path, reference: Reference) -> None:
    chance, kills = random.Random(0), 0
    for _ in range(40):
        done = live(
            tmp_path,
            happening=killed_at_replace(chance.randint(1, 9), done=chance.random() < 0.5),
        )
        if done.code == 0:
            break
        assert done.code == -signal.SIGKILL, done.err
        kills += 1
    assert done.code == 0
    assert kills >= 3
    assert_is_reference(tmp_path, reference)
    assert done.json["metrics"] == metrics(tmp_path / "runs" / "run")[-1]["terms"]


@pytest.mark.parametrize("file", [1, 2, 3, 5])
def test_killed_at_its_first_files_it_begins_again(
    file: int, tmp_path: Path, reference: Reference
) -> None:
    for done in (False, True):
        assert live(tmp_path, happening=killed_at_replace(file, done)).code == -signal.SIGKILL
    assert live(tmp_path).code == 0
    assert_is_reference(tmp_path, reference)


def test_killed_between_steps_it_is_the_same_run(tmp_path: Path, reference: Reference) -> None:
    for step in (3, 11, 9, 8):
        kill = signalled(signal.SIGKILL, step=step)
        assert live(tmp_path, happening=kill).code == -signal.SIGKILL
    assert live(tmp_path).code == 0
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


# -- more and nothing to do -----------------------------------------------------------------------


def test_a_finished_run_answers_at_once_and_touches_nothing(
    tmp_path: Path, reference: Reference
) -> None:
    first = live(tmp_path)
    run = tmp_path / "runs" / "run"
    times = {path: path.stat().st_mtime_ns for path in run.rglob("[!.]*")}
    again = live(tmp_path)
    assert again.code == 0
    assert "already complete" in again.err
    assert again.json == first.json
    assert {path: path.stat().st_mtime_ns for path in run.rglob("[!.]*")} == times
    assert len(times) > 10


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


# -- the comparison itself ------------------------------------------------------------------------

PARTS = {
    "the optimizer's memory": "optimizer.generator.",
    "the critic's optimizer": "optimizer.critic.",
    "the average": "average.",
    "the meter": "meter.",
    "the weights": "model.roles.critic.",
    "BatchNorm's means": "model.roles.generator.norms.0.running_",
}


@pytest.mark.parametrize("part", PARTS)
def test_without_any_part_of_the_state_it_is_another_run(
    part: str, tmp_path: Path, reference: Reference
) -> None:
    load = State.load

    def load_forgetfully(self: State, path: Path) -> dict[str, Any]:
        fresh = {name: value.clone() for name, value in self._learned().items()}
        facts = load(self, path)
        for name, value in self._learned().items():
            if name.startswith(PARTS[part]):
                value.copy_(fresh[name])
        if part == "the meter":
            self.meter.restore({}, {})
        return facts

    def happening() -> None:
        State.load = load_forgetfully  # type: ignore[method-assign]

    interrupted(tmp_path)
    assert live(tmp_path, happening=happening).code == 0
    assert differing(outcome(tmp_path / "runs" / "run"), reference[1])

"""A run that found its files damaged, or that got more to do, is the run that never was.

What else can happen to it is in tests/faults.
"""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genctl.common.files import PREFIX
from tests.support.processes import (
    differing_parts,
    outcome,
    read_metrics,
    run_training,
    signal_after_step,
)

Reference = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """An uninterrupted run, and what is left of it."""
    folder = tmp_path_factory.mktemp("reference")
    done = run_training(folder)
    assert done.code == 0, done.err
    return folder / "run", outcome(folder / "runs" / "run")


def assert_is_reference(folder: Path, reference: Reference) -> None:
    assert differing_parts(outcome(folder / "runs" / "run"), reference[1]) == []
    leftovers = list(folder.rglob(f"{PREFIX}*"))
    assert leftovers == []


def test_two_uninterrupted_runs_are_the_same(tmp_path: Path, reference: Reference) -> None:
    run_training(tmp_path)
    assert_is_reference(tmp_path, reference)
    assert [line["images"] for line in read_metrics(tmp_path / "runs" / "run")] == list(
        range(48, 481, 48)
    )
    assert len(reference[1]["samples"]) == 4


# -- damage ---------------------------------------------------------------------------------------


def interrupted(folder: Path, step: int = 17) -> Path:
    """A run that was asked to stop; returns its newest checkpoint."""
    assert run_training(folder, fault=signal_after_step(signal.SIGTERM, step=step)).code == 143
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
    done = run_training(tmp_path)
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
    done = run_training(tmp_path)
    assert done.code == 0
    assert done.err.count("genctl: warning: cannot use") == 3
    assert_is_reference(tmp_path, reference)


# -- more to do -----------------------------------------------------------------------------------


def test_a_raised_budget_extends_the_run(tmp_path: Path) -> None:
    more = ("--set", "training.images=640")
    run_training(tmp_path / "at_once", *more)
    run_training(tmp_path / "extended")
    done = run_training(tmp_path / "extended", *more)
    assert done.code == 0
    assert "training.images goes from 480 to 640" in done.err
    once, extended = (outcome(tmp_path / name / "runs" / "run") for name in ("at_once", "extended"))
    extended["samples"].pop("000000480.png")  # where it first ended
    assert differing_parts(once, extended) == []

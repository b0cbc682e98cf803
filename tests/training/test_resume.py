"""Resuming from damaged checkpoints, and extending a run, gives the bits of an uninterrupted run.

Kills, signals and full disks are in tests/faults.
"""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import (
    differing_parts,
    outcome,
    read_metrics,
    require_same,
    run_training,
    signal_after_step,
)
from tests.support.texts import TEXT


def test_two_uninterrupted_runs_are_the_same(tmp_path: Path, uninterrupted_run: Path) -> None:
    assert run_training(tmp_path).code == 0
    run = tmp_path / "runs/run"
    require_same(run, uninterrupted_run)
    assert [record["images"] for record in read_metrics(run)] == list(range(48, 481, 48))
    samples = sorted(path.stem for path in (run / "samples").iterdir())
    assert samples == ["000000000", "000000128", "000000256", "000000384", "000000480"]


# -- damaged checkpoints --------------------------------------------------------------------------


def interrupt(folder: Path) -> list[Path]:
    """Stop a run after 272 images; returns its checkpoints, newest first."""
    assert run_training(folder, fault=signal_after_step(signal.SIGTERM, step=17)).code == 143
    return sorted((folder / "runs/run/checkpoints").glob("*.safetensors"), reverse=True)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
def test_a_damaged_checkpoint_is_renamed_and_the_one_before_used(
    damage: Callable[[Path], None], tmp_path: Path, uninterrupted_run: Path
) -> None:
    newest = interrupt(tmp_path)[0]
    damage(newest)
    done = run_training(tmp_path)
    assert done.code == 0
    assert f"warning: cannot use {newest.relative_to(tmp_path)}" in done.err
    assert "continuing from the checkpoint before it" in done.err
    assert "from 256 images" in done.err
    assert newest.with_suffix(".damaged").exists()
    require_same(tmp_path / "runs/run", uninterrupted_run)


def test_with_all_checkpoints_damaged_the_run_starts_again(
    tmp_path: Path, uninterrupted_run: Path
) -> None:
    checkpoints = interrupt(tmp_path)
    for path in checkpoints:
        truncate(path)
    done = run_training(tmp_path)
    assert done.code == 0
    assert done.err.count("genctl: warning: cannot use") == len(checkpoints) == 3
    require_same(tmp_path / "runs/run", uninterrupted_run)


# -- a larger budget ------------------------------------------------------------------------------


def test_a_larger_budget_extends_the_run(tmp_path: Path) -> None:
    larger = ("--set", "training.images=640")
    at_once, extended = tmp_path / "at_once", tmp_path / "extended"
    assert run_training(at_once, *larger).code == 0
    assert run_training(extended).code == 0
    done = run_training(extended, *larger)
    assert done.code == 0
    assert "training.images changes from 480 to 640" in done.err
    expected, actual = outcome(at_once / "runs/run"), outcome(extended / "runs/run")
    actual["samples"].pop("000000480.png")  # from its first end
    assert differing_parts(expected, actual) == []


def test_a_run_with_captions_resumes_with_the_same_bits(tmp_path: Path) -> None:
    words = [word for setting in TEXT for word in ("--set", setting)]
    assert run_training(tmp_path / "whole", *words).code == 0
    parts = tmp_path / "parts"
    assert run_training(parts, *words, fault=signal_after_step(signal.SIGTERM, step=17)).code == 143
    assert run_training(parts, *words).code == 0
    require_same(parts / "runs/run", tmp_path / "whole/runs/run")

"""``train --pause-at``: a run that pauses ends with the bits of one that does not."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import SCORED, SETTINGS, require_same, run_forked, train_arguments

SCHEDULED = ("optimizer.schedule=linear", "optimizer.warmup_images=100")


def train(folder: Path, *more: str, settings: tuple[str, ...] = SETTINGS) -> Any:
    done = run_forked(folder, train_arguments(*more, settings=(*settings, *SCHEDULED)))
    assert done.code == 0, done.err
    return done


@pytest.mark.parametrize("settings", [SETTINGS, SCORED], ids=["plain", "scored"])
def test_a_run_that_paused_has_the_bits_of_one_that_did_not(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    straight, paused = tmp_path / "straight", tmp_path / "paused"
    train(straight, settings=settings)
    for images in (100, 256, 300):  # between two steps, at a checkpoint, between two checkpoints
        result = train(paused, "--pause-at", str(images), settings=settings).json
        assert (result["status"], result["stopped_by"]) == ("interrupted", "pause")
        assert result["images"] == -(-images // 16) * 16
        assert Path(paused / result["model"]).exists()
    train(paused, settings=settings)
    require_same(paused / "runs/run", straight / "runs/run")


def test_a_run_that_is_far_enough_is_left_alone(tmp_path: Path) -> None:
    first = train(tmp_path, "--pause-at", "200")
    assert "paused after 208 images" in first.err
    newest = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/run").rglob("*")}
    again = train(tmp_path, "--pause-at", "160")
    assert "is already paused after 208 images" in again.err
    assert again.json == first.json
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/run").rglob("*")} == newest


def test_a_pause_beyond_the_end_is_none(tmp_path: Path) -> None:
    result = train(tmp_path, "--pause-at", "480").json
    assert (result["status"], result["stopped_by"], result["images"]) == ("complete", "images", 480)

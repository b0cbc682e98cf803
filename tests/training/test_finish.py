"""The end of a run that was asked to finish: when, and how its progress gets there."""

from pathlib import Path

import pytest

from genctl.runs.early_end import (
    EarlyEnd,
    FinishRequest,
    read_early_end,
    read_request,
    write_early_end,
    write_request,
)
from genctl.runs.run import Run
from genctl.training.finish import MARGIN, Finisher, affordable_images
from tests.support.recorder import Recorder


def test_progress_is_a_straight_line_to_one() -> None:
    early_end = EarlyEnd(within=60, images=100, progress=0.2, end=300)
    found = [early_end.progress_at(images) for images in (100, 150, 200, 300, 400)]
    assert found == [pytest.approx(0.2), pytest.approx(0.4), pytest.approx(0.6), 1.0, 1.0]


def test_time_is_planned_for_steps_and_for_pauses() -> None:
    assert affordable_images(10, images_per_second=100, pause_per_image=0) == int(1000 * MARGIN)
    assert affordable_images(10, images_per_second=100, pause_per_image=0.01) == int(500 * MARGIN)
    assert affordable_images(-5, images_per_second=100, pause_per_image=0) == 0


def finisher(folder: Path) -> Finisher:
    return Finisher(Run(folder), Recorder())


@pytest.mark.parametrize(("more", "end"), [(0, 116), (15, 116), (16, 116), (40, 132)])
def test_a_run_ends_after_whole_steps_and_at_least_one(more: int, end: int, tmp_path: Path) -> None:
    found = finisher(tmp_path)
    found.end_after(more, 16, images=100, progress=0.25, within=60)
    assert found.early_end == EarlyEnd(60, 100, 0.25, end)
    assert read_early_end(Run(tmp_path)) == found.early_end
    assert finisher(tmp_path).early_end == found.early_end


def test_before_its_record_a_resumed_run_follows_its_schedule(tmp_path: Path) -> None:
    write_early_end(Run(tmp_path), EarlyEnd(60, images=100, progress=0.25, end=200))
    found = finisher(tmp_path)
    assert found.progress(99, scheduled=0.2475) == 0.2475
    assert found.progress(100, scheduled=0.1) == pytest.approx(0.25)
    assert found.progress(150, scheduled=0.3) == pytest.approx(0.625)


def test_a_request_is_read_until_there_is_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genctl.training.finish.INTERVAL", 0.0)
    found = finisher(tmp_path)
    assert found.requested_seconds() is None
    write_request(Run(tmp_path), 30)
    request = read_request(Run(tmp_path))
    assert isinstance(request, FinishRequest)
    assert (request.within, request.asked > 1.7e9) == (30, True)
    assert found.requested_seconds() == 30
    found.end_after(16, 16, images=0, progress=0, within=30)
    assert found.requested_seconds() is None


def test_a_request_is_not_looked_for_at_every_step(tmp_path: Path) -> None:
    found = finisher(tmp_path)
    assert found.requested_seconds() is None
    write_request(Run(tmp_path), 30)
    assert found.requested_seconds() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"within": -1}', '{"within": "soon"}', "\x00"])
def test_a_damaged_request_is_a_warning_and_a_good_one_is_obeyed(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genctl.training.finish.INTERVAL", 0.0)
    reporter = Recorder()
    found = Finisher(Run(tmp_path), reporter)
    Run(tmp_path).finish_request.write_text(text)
    assert [found.requested_seconds() for _ in range(3)] == [None] * 3
    (warning,) = reporter.warnings
    assert f"cannot use {tmp_path}/.finish-request.json" in warning
    write_request(Run(tmp_path), 5)
    assert found.requested_seconds() == 5

"""The table of a sweep."""

import csv
import io

import pytest

from genctl.sweeps.records import Record
from genctl.sweeps.summary import as_json, summarize, to_csv
from tests.sweeps.records import record


def test_points_have_mean_deviation_and_worst_seed() -> None:
    records = [record("1", seed, fid) for seed, fid in enumerate((0.2, 0.4, 0.3))]
    records += [record("2", 0, 0.5), record("2", 1, None)]
    summary = summarize(records, "fid")
    first, second = as_json(summary)["points"]
    assert first["scores"] == pytest.approx({"overall": 0.4, "fid": 0.3, "agreement": 0.9})
    assert first["std"]["fid"] == pytest.approx(0.1)
    assert (first["status"], second["status"]) == ("complete", "1 complete, 1 diverged")
    assert second["scores"]["fid"] == 0.5
    worst = summary.rows[0].worst("fid")
    assert worst is not None
    assert worst.seed == 1
    assert summary.rows[0].worst("agreement") is not None
    assert summary.real["fid"] == 0.03
    assert summary.best is summary.rows[0]


def test_the_best_come_first_and_failures_last() -> None:
    records = [record("1", 0, None), record("2", 0, 0.5), record("3", 0, 0.1), record("4", 0, 0.3)]
    assert [row.settings["x"] for row in summarize(records, "fid").rows] == ["3", "4", "2", "1"]
    assert [row.settings["x"] for row in summarize(records, "agreement").rows][-1] == "1"


def test_those_trained_further_come_before_those_that_paused() -> None:
    paused = [record("1", 0, 0.1, "paused", 20), record("2", 0, 0.3, "paused", 40)]
    rows = summarize([*paused, record("3", 0, 0.5), record("4", 0, None)], "fid").rows
    assert [row.settings["x"] for row in rows] == ["3", "2", "1", "4"]


def test_a_sweep_without_results_has_no_best() -> None:
    assert as_json(summarize([], "fid"))["best"] is None
    assert as_json(summarize([record("1", 0, None)], "fid"))["best"] is None


def test_csv_has_a_line_for_each_run() -> None:
    error = Record("tiny", {"x": "9"}, 0, "runs/c", "failed", error="a, b", exit_code=71)
    text = to_csv(summarize([record("1", 0, 0.2), record("1", 1, None), error], "fid"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["fid"] for row in rows] == ["0.2", "", ""]
    assert [row["x"] for row in rows] == ["1", "1", "9"]
    assert (rows[2]["exit_code"], rows[2]["error"]) == ("71", "a, b")

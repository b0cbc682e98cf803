"""Which model a report recommends, and when it does not."""

from pathlib import Path
from typing import Any

import pytest

from genctl.common.errors import UsageError
from genctl.reports.choice import Choice
from genctl.reports.report import build_report
from genctl.runs.lookup import list_runs
from tests.support.written_runs import evaluation, write_run


def choice_of(runs: Path, score: str | None = None) -> Choice:
    return build_report(list_runs(runs), score, pytest.fail).choice


def test_the_best_score_wins_and_the_cheapest_of_those_close_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, "best", fids=(9.0, 1.0), seconds=100)
    write_run(tmp_path, "close", fids=(9.0, 1.05), seconds=50)
    write_run(tmp_path, "closer", fids=(9.0, 1.01), seconds=60)
    write_run(tmp_path, "cheap", fids=(9.0, 2.0), seconds=1)
    choice = choice_of(tmp_path)
    assert choice.best is not None
    assert choice.cheapest is not None
    assert (choice.best.name, choice.cheapest.name) == ("best", "close")
    text = " ".join(choice.answer)
    # 1.1 is FID 1 plus a tenth of wrong classes; real images have 0.25 + 0.01.
    assert "A (best) has the best overall score of 4 comparable runs: 1.10 (FID 1.00" in text
    assert "Real images reach 0.260." in text
    assert "C (close): 1.15 (FID 1.05, agreement 90.0 %), after 50.0 s instead of 1 min 40" in text


@pytest.mark.parametrize(("fid", "is_close"), [(1.109, True), (1.111, False)])
def test_close_means_within_ten_percent(fid: float, is_close: bool, tmp_path: Path) -> None:
    write_run(tmp_path, "best", fids=(1.0,), seconds=100)
    write_run(tmp_path, "cheap", fids=(fid,), seconds=10)
    # The overall scores are 0.1 more, and 10 % of 1.1 is 0.11.
    choice = choice_of(tmp_path)
    assert (choice.cheapest is not None) == is_close
    assert any("No cheaper run" in line for line in choice.answer) != is_close


def test_the_score_of_a_run_is_that_of_its_best_moment(tmp_path: Path) -> None:
    write_run(tmp_path, "collapsed", fids=(1.0, 50.0))
    write_run(tmp_path, "steady", fids=(3.0, 2.0))
    choice = choice_of(tmp_path)
    assert choice.best is not None
    assert choice.best.name == "collapsed"  # model.safetensors is from its best moment


def test_another_score_may_choose(tmp_path: Path) -> None:
    write_run(tmp_path, "a", evaluation=evaluation(0.1) | {"scores": {"fid": 0.1, "recall": 0.5}})
    write_run(tmp_path, "b", evaluation=evaluation(0.2) | {"scores": {"fid": 0.2, "recall": 0.9}})
    for score, best in ((None, "a"), ("fid", "a"), ("recall", "b")):
        choice = choice_of(tmp_path, score)
        assert choice.best is not None
        assert choice.best.name == best
    with pytest.raises(UsageError, match=r"--score recal: no run has this score; use one of .*fid"):
        choice_of(tmp_path, "recal")


DIFFERENCES: dict[str, dict[str, Any]] = {
    "other data": {"data": "e" * 64},
    "another judge": {"judge": {"digest": "b" * 64}},
    "2,000 samples": {"scoring": {"n": 2000, "against": "train", "features": "judge"}},
    "test images to compare with": {"scoring": {"n": 300, "against": "test", "features": "judge"}},
    "data that is not recorded": {"data": None},
}


@pytest.mark.parametrize("why", DIFFERENCES)
def test_scores_that_were_measured_otherwise_are_not_compared(why: str, tmp_path: Path) -> None:
    write_run(tmp_path, "one", fids=(2.0,))
    write_run(tmp_path, "two", fids=(3.0,))
    write_run(tmp_path, "other", fids=(0.01,), **DIFFERENCES[why])
    choice = choice_of(tmp_path)
    assert choice.best is not None
    assert choice.best.name == "one"
    assert f"Not compared: C (other): its scores were measured with {why}." in choice.caveats


def test_evaluations_are_preferred_to_scores_of_training_if_all_have_them(tmp_path: Path) -> None:
    write_run(tmp_path, "a", fids=(1.0,), evaluation=evaluation(0.2, std=0.1))
    write_run(tmp_path, "b", fids=(2.0,), evaluation=evaluation(0.1, std=0.1))
    choice = choice_of(tmp_path)
    assert choice.best is not None
    assert choice.best.name == "b"
    assert any("toss-up" in caveat for caveat in choice.caveats)
    (tmp_path / "a" / "evaluation.json").unlink()  # then only scores of training compare
    choice = choice_of(tmp_path)
    assert choice.best is not None
    assert choice.best.name == "a"


def test_runs_that_are_not_fit_for_use_are_not_recommended(tmp_path: Path) -> None:
    write_run(tmp_path, "diverged", fids=(0.1,), status="diverged")
    write_run(tmp_path, "lost", fids=(0.2,))
    (tmp_path / "lost" / "model.safetensors").unlink()
    write_run(tmp_path, "unscored")
    write_run(tmp_path, "killed", fids=(1.0,), status=None)
    choice = choice_of(tmp_path)
    assert choice.best is not None
    assert choice.best.name == "killed"
    text = "\n".join(choice.caveats)
    assert "A (diverged): diverged after 1,000 images." in text
    assert "B (lost): no model file." in text
    assert "D (unscored): no scores." in text
    assert "C (killed) is interrupted: its scores may still change." in text


def test_without_scores_nothing_is_recommended(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    choice = choice_of(tmp_path)
    assert choice.best is None
    assert choice.answer[0].startswith("No run has scores, so none can be recommended.")


def test_seconds_on_different_machines_do_not_compare(tmp_path: Path) -> None:
    write_run(tmp_path, "slow", fids=(1.0,))
    write_run(tmp_path, "fast", fids=(1.01,), device_name="a GPU", seconds=1)
    assert any("seconds do not compare" in caveat for caveat in choice_of(tmp_path).caveats)

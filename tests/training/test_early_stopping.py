"""How a run stands by its scores."""

import pytest

from genctl.training.early_stopping import Standing, overall


def test_the_overall_score_is_fid_plus_the_share_of_a_wrong_class() -> None:
    assert overall({"fid": 0.25, "agreement": 0.9}) == pytest.approx(0.35)
    assert overall({"fid": 0.25, "coverage": 0.5}) == 0.25


def test_only_a_better_score_is_taken() -> None:
    standing = Standing()
    assert standing.take({"fid": 2.0}, 100)
    assert not standing.take({"fid": 2.0}, 200)
    assert not standing.take({"fid": 3.0}, 300)
    assert standing.take({"fid": 1.0}, 400)
    assert (standing.best, standing.best_images) == (1.0, 400)


def test_a_run_has_converged_when_patience_went_by_without_a_better_score() -> None:
    standing = Standing(best=1.0, best_images=400)
    assert not standing.has_converged(599, patience=200)
    assert standing.has_converged(600, patience=200)
    assert not standing.has_converged(10**9, patience=0)
    assert not Standing().has_converged(10**9, patience=200)


@pytest.mark.parametrize(
    ("best", "fid", "collapsed"),
    [(1.0, 9.9, False), (1.0, 10.1, True), (0.05, 1.0, False), (0.05, 1.1, True)],
)
def test_a_collapse_is_ten_times_the_best_and_one_more_at_least(
    best: float, fid: float, collapsed: bool
) -> None:
    assert Standing(best, 100).has_collapsed({"fid": fid}) is collapsed


def test_nothing_collapses_before_the_first_score() -> None:
    assert not Standing().has_collapsed({"fid": 1e9})

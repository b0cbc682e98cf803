"""The best score, convergence and collapse."""

import pytest

from genctl.training.early_stopping import EarlyStopping, overall_score


def test_overall_score_is_fid_plus_the_share_of_wrong_classes() -> None:
    assert overall_score({"fid": 0.25, "agreement": 0.9}) == pytest.approx(0.35)
    assert overall_score({"fid": 0.25, "coverage": 0.5}) == 0.25


def test_update_keeps_the_best_score() -> None:
    stopping = EarlyStopping()
    assert stopping.update({"fid": 2.0}, 100)
    assert not stopping.update({"fid": 2.0}, 200)
    assert not stopping.update({"fid": 3.0}, 300)
    assert stopping.update({"fid": 1.0}, 400)
    assert (stopping.best, stopping.best_images) == (1.0, 400)


def test_a_run_has_converged_after_patience_images_without_a_better_score() -> None:
    stopping = EarlyStopping(best=1.0, best_images=400)
    assert not stopping.has_converged(599, patience=200)
    assert stopping.has_converged(600, patience=200)
    assert not stopping.has_converged(10**9, patience=0)
    assert not EarlyStopping().has_converged(10**9, patience=200)


@pytest.mark.parametrize(
    ("best", "fid", "collapsed"),
    [(1.0, 9.9, False), (1.0, 10.1, True), (0.05, 1.0, False), (0.05, 1.1, True)],
)
def test_a_score_has_collapsed_at_ten_times_the_best_and_at_least_one_more(
    best: float, fid: float, collapsed: bool
) -> None:
    assert EarlyStopping(best, 100).has_collapsed({"fid": fid}) is collapsed


def test_nothing_collapses_before_the_first_score() -> None:
    assert not EarlyStopping().has_collapsed({"fid": 1e9})

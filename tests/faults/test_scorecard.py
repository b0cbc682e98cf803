"""The scorecard counts what was proved and nothing else."""

import pytest

from tests.faults.scorecard import CASES, GATES, POINTS, Scorecard, proves


def test_there_are_forty_cases_and_fourteen_gates() -> None:
    assert len(CASES) == 40
    assert len(GATES) == 14
    assert set(CASES) >= GATES


def test_a_point_needs_a_proof_and_no_refutation() -> None:
    card = Scorecard()
    card.claim("A1", "EM", passed=True)
    card.claim("A1", "M", passed=False)
    card.claim("A1", "M", passed=True)
    card.claim("B2", "R", passed=True)
    assert card.points("A1") == "E"
    assert card.points("B2") == "R"
    assert card.points("C3") == ""
    assert card.total() == 2
    assert next(iter(card.lines())).split()[:3] == ["A1", "1", "E---"]


def test_a_gate_is_short_until_it_has_all_points() -> None:
    card = Scorecard()
    for case in CASES:
        card.claim(case, POINTS, passed=True)
    assert card.total() == 160
    assert card.short_gates() == []
    card.claim("B1", "N", passed=False)
    card.claim("B2", "N", passed=False)  # no gate
    assert card.short_gates() == ["B1"]


@pytest.mark.parametrize(("case", "points"), [("A9", "E"), ("A1", "X"), ("A1", "")])
def test_a_misspelt_claim_is_refused(case: str, points: str) -> None:
    with pytest.raises(ValueError, match="no such case"):
        proves(case, points)

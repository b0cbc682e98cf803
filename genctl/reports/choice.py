"""Which model to choose, in words, and what speaks against trusting that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from genctl.common.errors import UsageError
from genctl.reports import formats
from genctl.reports.comparison import basis_difference
from genctl.reports.history import OVERALL, Basis, History, ScoreSet

CLOSE = 0.1
"""A score this close to the best, relative to it, counts as about as good."""

UNUSABLE = ("diverged", "failed")


@dataclass(frozen=True)
class Candidate:
    """A run, its letter, and the scores that it is compared by; None if they do not compare."""

    index: int  # in the table; chooses letter, colour, dashes and markers
    name: str
    history: History
    scores: ScoreSet | None

    @property
    def letter(self) -> str:
        """What plots call the run."""
        return formats.letters(self.index)

    @property
    def label(self) -> str:
        """How sentences call the run."""
        return f"{self.letter} ({self.name})"


@dataclass(frozen=True)
class Choice:
    """The answer of a report."""

    score: str  # the name of the score
    basis: Basis | None  # what the compared scores were measured with; None without any
    best: Candidate | None = None
    cheapest: Candidate | None = None  # within 10 % of the best, and cheaper
    answer: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)

    def value(self, candidate: Candidate) -> float:
        """The score of a run that is compared."""
        assert candidate.scores is not None
        return candidate.scores.scores[self.score]


def choose(
    candidates: Sequence[Candidate], basis: Basis | None, score: str | None = None
) -> Choice:
    """Find the best of the runs that compare, and the cheapest of those close to it.

    Args:
        candidates: all runs of the report.
        basis: of the scores that are compared.
        score: the name of the score to compare; by default the overall one.

    Raises:
        UsageError: no run has that score.
    """
    score = _checked(candidates, score)
    scored = [c for c in candidates if c.scores is not None and score in c.scores.scores]
    usable = [c for c in scored if c.history.has_model and c.history.status not in UNUSABLE]
    choice = Choice(score, basis)
    ranked = sorted(usable, key=choice.value, reverse=score not in formats.LOWER_IS_BETTER)
    if not ranked:
        caveats = _left_out(candidates, usable, choice)
        return Choice(score, basis, answer=[_nothing_to_choose(candidates)], caveats=caveats)
    best = ranked[0]
    close = [c for c in ranked if _is_close(choice.value(c), choice.value(best), score)]
    cheapest = min(close, key=lambda c: _seconds(c))
    choice = Choice(score, basis, best, None if _seconds(cheapest) >= _seconds(best) else cheapest)
    return Choice(
        score,
        basis,
        best,
        choice.cheapest,
        _answer(choice, ranked),
        _left_out(candidates, usable, choice) + _caveats(choice, ranked),
    )


def _checked(candidates: Sequence[Candidate], score: str | None) -> str:
    if score is None:
        return OVERALL
    known = {name for c in candidates if c.scores is not None for name in c.scores.scores}
    if score not in known:
        names = ", ".join(sorted(known)) or "none: no run has scores"
        raise UsageError(f"--score {score}: no run has this score; use one of {names}")
    return score


def _nothing_to_choose(candidates: Sequence[Candidate]) -> str:
    if any(c.scores is not None for c in candidates):
        return "No run with scores has a model that can be used, so none can be recommended."
    return (
        "No run has scores, so none can be recommended. `genctl evaluate --run NAME` scores a "
        "model, and `--set evaluation.every=10000` scores a run while it trains."
    )


def _is_close(value: float, best: float, score: str) -> bool:
    if score in formats.LOWER_IS_BETTER:
        return value <= best + CLOSE * abs(best)
    return value >= best - CLOSE * abs(best)


def _seconds(candidate: Candidate) -> float:
    seconds = candidate.history.seconds
    return float("inf") if seconds is None else seconds


def _with_value(choice: Choice, candidate: Candidate) -> str:
    """``0.512 (FID 0.498, agreement 98.6 %)``."""
    assert candidate.scores is not None
    text = formats.score(choice.score, choice.value(candidate))
    if choice.score != OVERALL:
        return text
    shown = [name for name in ("fid", "agreement") if name in candidate.scores.scores]
    if shown == ["fid"]:
        return f"FID {text}"
    parts = [
        f"{formats.score_name(name)} {formats.score(name, candidate.scores.scores[name])}"
        for name in shown
    ]
    return f"{text} ({', '.join(parts)})"


def _answer(choice: Choice, ranked: Sequence[Candidate]) -> list[str]:
    best, cheapest = choice.best, choice.cheapest
    assert best is not None
    assert best.scores is not None
    name = "overall score" if choice.score == OVERALL else formats.score_name(choice.score)
    value = _with_value(choice, best)
    if len(ranked) > 1:
        first = f"{best.label} has the best {name} of {len(ranked)} comparable runs: {value}."
    else:
        first = f"{best.label} is the only run to compare; its {name} is {value}."
    sentences = [first]
    real = best.scores.real.get(choice.score)
    if real is not None:
        sentences.append(f"Real images reach {formats.score(choice.score, real)}.")
    if len(ranked) == 1:
        return sentences
    took = formats.seconds(best.history.seconds)
    if cheapest is not None:
        sentences.append(
            f"The cheapest run within {CLOSE:.0%} of it is {cheapest.label}: "
            f"{_with_value(choice, cheapest)}, after {formats.seconds(cheapest.history.seconds)} "
            f"instead of {took}.".replace("10%", "10 %")
        )
    elif best.history.seconds is not None:
        sentences.append(f"No cheaper run comes within 10 % of it; it took {took}.")
    return sentences


def _left_out(
    candidates: Sequence[Candidate], usable: Sequence[Candidate], choice: Choice
) -> list[str]:
    """Why runs are not compared, one sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for candidate in candidates:
        if candidate not in usable:
            reasons.setdefault(_why_left_out(candidate, choice), []).append(candidate.label)
    return [f"Not compared: {', '.join(labels)}: {why}." for why, labels in reasons.items()]


def _why_left_out(candidate: Candidate, choice: Choice) -> str:
    history = candidate.history
    if history.status in UNUSABLE:
        return f"{history.status} after {history.images:,} images"
    if candidate.scores is not None:
        if not history.has_model:
            return "no model file"
        return f"no {formats.score_name(choice.score)} among its scores"
    if not history.score_sets or choice.basis is None:
        return f"{history.status}, no scores" if history.status != "complete" else "no scores"
    return f"its scores were measured with {basis_difference(history, choice.basis)}"


def _caveats(choice: Choice, ranked: Sequence[Candidate]) -> list[str]:
    best, basis = choice.best, choice.basis
    assert best is not None
    assert basis is not None
    assert best.scores is not None
    found = []
    if basis.source == "training":
        samples = "an unknown number of" if basis.n is None else f"{basis.n:,}"
        found.append(
            f"The scores are those of training, with {samples} samples, of the best moment of each "
            "run, which favours runs that were scored more often; `genctl evaluate` measures more "
            "exactly."
        )
    unfinished = [c for c in ranked if c.history.status != "complete"]
    found += [f"{c.label} is {c.history.status}: its scores may still change." for c in unfinished]
    std = best.scores.std.get("fid" if choice.score == OVERALL else choice.score)
    if std and len(ranked) > 1:
        margin = abs(choice.value(ranked[1]) - choice.value(best))
        if margin < 2 * std:
            found.append(
                f"{ranked[1].label} is {formats.number(margin)} behind, less than twice the "
                f"standard deviation over sampling seeds ({formats.number(std)}): a toss-up."
            )
    devices = {str(c.history.environment.get("device_name")) for c in ranked}
    threads = {str(c.history.environment.get("threads")) for c in ranked}
    if len(devices) > 1 or len(threads) > 1:
        what = "on different devices" if len(devices) > 1 else "with different numbers of threads"
        found.append(f"The runs were trained {what}, so their seconds do not compare.")
    if len(ranked) > 1:
        found.append(
            "A difference between two runs may also be luck of the training seed; several seeds of "
            "each setting would tell."
        )
    return found

"""Which scores compare with each other: those that were measured alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from genctl.reports.history import Basis, History, ScoreSet


def main_basis(histories: Sequence[History]) -> Basis | None:
    """The basis that most runs have scores of; of two, that of ``genctl evaluate``."""
    counts = Counter(scores.basis for history in histories for scores in history.score_sets)
    order = sorted(counts, key=lambda basis: (counts[basis], basis.source == "evaluation"))
    return order[-1] if order else None


def scores_on(history: History, basis: Basis | None) -> ScoreSet | None:
    """The scores of a run that were measured with ``basis``, if it has some."""
    return next((scores for scores in history.score_sets if scores.basis == basis), None)


def basis_difference(history: History, basis: Basis) -> str:
    """In what the scores of a run differ from ``basis``, as few differences as there are."""
    differences = [_differences(scores.basis, basis) for scores in history.score_sets]
    fewest = min(differences, key=len)
    return ", ".join(fewest)


def _differences(own: Basis, basis: Basis) -> list[str]:
    found = []
    if own.data != basis.data:
        found.append("other data" if own.data and basis.data else "data that is not recorded")
    if own.judge != basis.judge:
        known = own.judge and basis.judge
        found.append("another judge" if known else "a judge that is not recorded")
    if own.features != basis.features:
        found.append(f"{own.features or 'unknown'} features")
    if own.against != basis.against:
        found.append(f"{own.against or 'unknown'} images to compare with")
    if own.n != basis.n:
        found.append("an unknown number of samples" if own.n is None else f"{own.n:,} samples")
    if own.source != basis.source:
        found.append("`genctl evaluate`" if own.source == "evaluation" else "training's protocol")
    return found

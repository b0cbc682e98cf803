"""Successive halving (Jamieson and Talwalkar 2016): who is trained further, and how far.

All points are trained on a few images, the best of them on more, and the best of these on more
still. A run pauses between rounds and goes on where it stood, with the learning rates that it would
have had without a pause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Candidate = TypeVar("Candidate")


def round_images(count: int, images: int, reduction: int, smallest: int = 1) -> list[int]:
    """The images after which each round ends; the last one ends with ``images``.

    Args:
        count: points in the first round.
        images: of a run that reaches the end.
        reduction: from round to round, points are divided by this, and images multiplied.
        smallest: images that a round has at least.
    """
    rounds = [images]
    while count >= reduction and rounds[0] // reduction >= smallest:
        count //= reduction
        rounds.insert(0, rounds[0] // reduction)
    return rounds


def survivors(
    values: Mapping[Candidate, float | None], keep: int, *, lower_is_better: bool
) -> list[Candidate]:
    """The best ``keep`` candidates in their order; those without a value never survive."""
    sign = 1 if lower_is_better else -1
    measured = {one: sign * value for one, value in values.items() if value is not None}
    best = set(sorted(measured, key=lambda one: measured[one])[:keep])
    return [one for one in values if one in best]


def current_round(
    candidates: Sequence[Candidate],
    rounds: int,
    reduction: int,
    is_settled: Callable[[Candidate, int], bool],
    value: Callable[[Candidate, int], float | None],
    *,
    lower_is_better: bool,
) -> tuple[int, list[Candidate]]:
    """The round that is under way, and its candidates; (``rounds``, []) at the end.

    Args:
        candidates: of the first round.
        rounds: how many there are.
        reduction: one of so many is trained further.
        is_settled: whether nothing is left to do for a candidate in a round.
        value: the score of a candidate in a round; None if it has failed.
        lower_is_better: which scores are good.
    """
    count, alive = len(candidates), list(candidates)
    for number in range(rounds):
        if not all(is_settled(one, number) for one in alive):
            return number, alive
        count = max(count // reduction, 1)
        values = {one: value(one, number) for one in alive}
        alive = survivors(values, count, lower_is_better=lower_is_better)
    return rounds, []

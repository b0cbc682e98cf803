"""Successive halving against a reference, with scores that are known beforehand."""

import random
from collections.abc import Sequence

import pytest

from genctl.sweeps.halving import current_round, round_images, survivors


@pytest.mark.parametrize(
    ("count", "images", "reduction", "smallest", "rounds"),
    [(9, 900, 3, 1, [100, 300, 900]), (8, 800, 2, 1, [100, 200, 400, 800]),
     (10, 900, 3, 1, [100, 300, 900]), (2, 900, 3, 1, [900]), (9, 900, 3, 200, [300, 900]),
     (27, 5, 3, 1, [1, 5])],
)  # fmt: skip
def test_rounds_multiply_images_as_they_divide_points(
    count: int, images: int, reduction: int, smallest: int, rounds: list[int]
) -> None:
    assert round_images(count, images, reduction, smallest) == rounds


def test_those_without_a_value_never_survive() -> None:
    values = {"a": 3.0, "b": None, "c": 1.0, "d": 2.0}
    assert survivors(values, 2, lower_is_better=True) == ["c", "d"]
    assert survivors(values, 2, lower_is_better=False) == ["a", "d"]
    assert survivors(values, 4, lower_is_better=True) == ["a", "c", "d"]
    assert survivors({"a": 1.0, "b": 1.0}, 1, lower_is_better=True) == ["a"]


def reference(scores: Sequence[Sequence[float]], reduction: int) -> list[int]:
    """How many rounds each candidate is in: halving as the paper has it, all at once."""
    rounds, alive, reached = len(scores[0]), list(range(len(scores))), [0] * len(scores)
    keep = len(scores)
    for number in range(rounds):
        for one in alive:
            reached[one] += 1
        keep = max(keep // reduction, 1)
        alive = sorted(sorted(alive, key=lambda one: scores[one][number])[:keep])
    return reached


@pytest.mark.parametrize("seed", range(20))
def test_step_by_step_it_does_what_the_reference_does_at_once(seed: int) -> None:
    chance = random.Random(seed)
    count, reduction = chance.randint(2, 30), chance.randint(2, 4)
    rounds = len(round_images(count, 10**6, reduction))
    scores = [[chance.random() for _ in range(rounds)] for _ in range(count)]
    done: set[tuple[int, int]] = set()
    while True:
        number, alive = current_round(
            range(count), rounds, reduction, lambda one, at: (one, at) in done,
            lambda one, at: scores[one][at], lower_is_better=True,
        )  # fmt: skip
        missing = [(one, number) for one in alive if (one, number) not in done]
        if not missing:
            break
        done.add(chance.choice(missing))
    assert number == rounds
    reached = [sum((one, at) in done for at in range(rounds)) for one in range(count)]
    assert reached == reference(scores, reduction)

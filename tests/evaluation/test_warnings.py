"""What is said about scores, in words."""

from typing import Any

import pytest
import torch
from torch import Tensor

from genctl.evaluation.warnings import warnings

EVEN = torch.full((4,), 0.25).double()
NAMES = ("1", "3", "7", "8")
GOOD = {"diversity": 0.98, "agreement": 0.97, "copies": 0.01}
REAL = {"copies": 0.005}


def test_a_good_model_gets_no_warning() -> None:
    assert _warned() == []


def test_samples_that_do_not_differ_mean_that_z_is_ignored() -> None:
    assert _warned(diversity=0.4) == [
        "z is ignored: samples of one condition differ 0.40 times as much as real images of a "
        "class do"
    ]


def test_agreement_near_chance_means_that_the_condition_is_ignored() -> None:
    assert _warned(agreement=0.28) == [
        "the condition is ignored: 28.0% of the samples show what was asked for, 25.0% would by "
        "chance"
    ]
    assert _warned(agreement=0.4) == []


def test_chance_is_what_one_common_class_would_give() -> None:
    mostly = torch.tensor([0.85, 0.05, 0.05, 0.05]).double()
    assert _warned(asked=mostly, shares=mostly, agreement=0.72)[0].startswith("the condition is")
    assert _warned(asked=mostly, shares=mostly, agreement=0.78) == []


def test_an_unconditional_model_has_no_condition_to_ignore() -> None:
    scores = {name: value for name, value in GOOD.items() if name != "agreement"}
    assert warnings(scores, REAL, EVEN, EVEN, NAMES) == []


def test_rare_classes_are_named() -> None:
    shares = torch.tensor([0.45, 0.06, 0.45, 0.04]).double()
    assert _warned(shares=shares) == ["digits missing: 3, 8"]
    named = warnings(GOOD, REAL, EVEN, shares, ("bag", "coat", "shirt", "shoe"))
    assert named == ["classes missing: coat, shoe"]


def test_many_rare_classes_are_counted() -> None:
    asked = torch.full((30,), 1 / 30).double()
    shares = torch.zeros(30).double()
    names = [f"{number:02d}" for number in range(30)]
    shares[:10] = 1 / 10  # 20 are missing
    assert warnings(GOOD, REAL, asked, shares, names)[-1].endswith(
        "missing: " + ", ".join(names[10:])
    )
    shares[9] = 0
    assert warnings(GOOD, REAL, asked, shares, names)[-1] == "digits missing: 21 of 30"


@pytest.mark.parametrize(
    ("drawn", "real", "told"),
    [
        (1000, 1000, []),
        (987, 1000, ["modes missing: 13 of 1,000"]),
        (999.6, 1000, []),  # the mean of seeds
        (890, 900, []),  # chance, with so few samples
        (800, 900, ["modes missing: 200 of 1,000"]),
    ],
)
def test_missing_modes_are_counted_where_they_are_more_than_chance(
    drawn: float, real: float, told: list[str]
) -> None:
    even = torch.full((1000,), 1 / 1000).double()
    names = [f"{number:03d}" for number in range(1000)]
    scores, others = {**GOOD, "modes": drawn}, {**REAL, "modes": real}
    assert warnings(scores, others, even, even, names) == told


def test_more_copies_than_among_real_images_are_told() -> None:
    assert _warned(copies=0.2) == [
        "copies of training images: 20.0% of the samples, 0.5% of real ones"
    ]


def _warned(asked: Tensor = EVEN, shares: Tensor = EVEN, **scores: Any) -> list[str]:
    return warnings(GOOD | scores, REAL, asked, shares, NAMES)

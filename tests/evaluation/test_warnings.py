"""Warnings about scores."""

from typing import Any

import pytest
import torch
from torch import Tensor

from genctl.evaluation.warnings import warnings

UNIFORM = torch.full((4,), 0.25).double()
CLASSES = ("1", "3", "7", "8")
GOOD = {"diversity": 0.98, "agreement": 0.97, "copies": 0.01}
REAL = {"copies": 0.005}


def warn(expected_shares: Tensor = UNIFORM, shares: Tensor = UNIFORM, **scores: Any) -> list[str]:
    return warnings(GOOD | scores, REAL, expected_shares, shares, CLASSES)


def test_good_model_gets_no_warning() -> None:
    assert warn() == []


def test_low_diversity_means_that_z_is_ignored() -> None:
    assert warn(diversity=0.4) == [
        "z is ignored: samples of one condition differ only 0.40 times as much as real images of "
        "one class"
    ]


def test_agreement_near_chance_means_that_the_condition_is_ignored() -> None:
    assert warn(agreement=0.28) == [
        "the condition is ignored: 28.0% of the samples are of the class of their condition, and "
        "25.0% would be by chance"
    ]
    assert warn(agreement=0.4) == []


def test_chance_is_higher_for_a_frequent_class() -> None:
    mostly = torch.tensor([0.85, 0.05, 0.05, 0.05]).double()
    assert warn(mostly, mostly, agreement=0.72)[0].startswith("the condition is ignored")
    assert warn(mostly, mostly, agreement=0.78) == []


def test_unconditional_model_has_no_condition_to_ignore() -> None:
    scores = {name: value for name, value in GOOD.items() if name != "agreement"}
    assert warnings(scores, REAL, UNIFORM, UNIFORM, CLASSES) == []


def test_rare_classes_are_named() -> None:
    shares = torch.tensor([0.45, 0.06, 0.45, 0.04]).double()
    assert warn(shares=shares) == ["digits missing: 3, 8"]
    named = warnings(GOOD, REAL, UNIFORM, shares, ("bag", "coat", "shirt", "shoe"))
    assert named == ["classes missing: coat, shoe"]


def test_many_rare_classes_are_counted() -> None:
    expected = torch.full((30,), 1 / 30).double()
    shares = torch.zeros(30).double()
    names = [f"{number:02d}" for number in range(30)]
    shares[:10] = 1 / 10  # 20 are missing
    found = warnings(GOOD, REAL, expected, shares, names)
    assert found == ["digits missing: " + ", ".join(names[10:])]
    shares[9] = 0
    assert warnings(GOOD, REAL, expected, shares, names) == ["digits missing: 21 of 30"]


@pytest.mark.parametrize(
    ("modes", "real", "expected"),
    [
        (1000, 1000, []),
        (987, 1000, ["modes missing: 13 of 1,000"]),
        (999.6, 1000, []),  # the mean of several seeds
        (890, 900, []),  # chance, with so few samples
        (800, 900, ["modes missing: 200 of 1,000"]),
    ],
)
def test_missing_modes_are_counted_if_they_are_more_than_chance(
    modes: float, real: float, expected: list[str]
) -> None:
    uniform = torch.full((1000,), 1 / 1000).double()
    names = [f"{number:03d}" for number in range(1000)]
    scores, real_scores = {**GOOD, "modes": modes}, {**REAL, "modes": real}
    assert warnings(scores, real_scores, uniform, uniform, names) == expected


def test_more_copies_than_among_real_images_are_reported() -> None:
    assert warn(copies=0.2) == [
        "copies of training images: 20.0% of the samples, but 0.5% of real images"
    ]

"""Obedience, of drawings whose obedience is known."""

from itertools import pairwise

import pytest
import torch

from genctl.config.loading import load_data
from genctl.data.captions import FULL
from genctl.data.strokes.grammar import held_out_pairs
from genctl.data.strokes.measures import measure
from genctl.evaluation.obedience import Obedience
from tests.support.texts import text_config

TRAIN, TEST = load_data(text_config())
INDEX = torch.arange(len(TEST))


@pytest.fixture(scope="module")
def obedience() -> Obedience:
    return Obedience(TRAIN, TEST)


def test_the_described_pictures_themselves_obey(obedience: Obedience) -> None:
    scores = obedience.score(TEST.pixels, INDEX, TEST.labels)
    assert scores["thirds"] == scores["pairs"] == scores["held_out_pairs"] == 1
    assert scores["thickness_error"] == scores["slant_error"] == 0


def test_other_pictures_of_the_class_are_right_by_chance(obedience: Obedience) -> None:
    chance = obedience.chance(INDEX)
    assert 0.2 < chance["thirds"] < 0.6
    assert chance["held_out_pairs"] < chance["pairs"] + 0.2
    order = TEST.labels.argsort(stable=True)
    other = torch.empty_like(order)
    other[order] = order.roll(7)
    scores = obedience.score(TEST.pixels[other], INDEX, TEST.labels[other])
    assert scores["thirds"] < 0.7
    assert scores["slant_error"] > 1


def test_a_pair_is_right_only_if_both_of_its_parts_are(obedience: Obedience) -> None:
    wrong = (TEST.labels + 1) % 10
    scores = obedience.score(TEST.pixels, INDEX, wrong)
    assert scores["thirds"] == 1
    assert scores["pairs"] == 0
    assert scores["held_out_pairs"] < 0.5  # of two thirds, without a class


def test_the_error_is_the_distance_to_the_third_that_is_named(obedience: Obedience) -> None:
    assert TEST.tokens is not None
    swapped = TEST.pixels.flip(-1)  # what leaned left leans right
    slant, (low, high) = measure(swapped)[:, 1], obedience.edges[:, 1].tolist()
    bounds = list(pairwise([float("-inf"), low, high, float("inf")]))
    distances = []
    for angle, third in zip(slant.tolist(), TEST.tokens.values[:, 2].tolist(), strict=True):
        lowest, highest = bounds[third]
        distances.append(max(lowest - angle, angle - highest, 0))
    assert TEST.tokens.at(INDEX, FULL).says[:, 2].all()  # every third of the slant has a name
    scores = obedience.score(swapped, INDEX, TEST.labels)
    assert scores["slant_error"] == pytest.approx(sum(distances) / len(distances), rel=1e-4)


def test_test_captions_say_the_pairs_that_training_captions_never_say() -> None:
    assert TRAIN.tokens is not None
    assert TEST.tokens is not None
    for captions, expected in ((TRAIN.tokens, False), (TEST.tokens, True)):
        says = []
        for first, second in (sorted(pair) for pair in held_out_pairs(10)):
            for group in range(len(captions.tokens)):
                values = captions.values[(captions.group == group).nonzero()[0, 0]]
                if values[first[0]] == first[1] and values[second[0]] == second[1]:
                    told = captions.says[group]
                    says.append(bool((told[:, first[0]] & told[:, second[0]]).any()))
        assert any(says) == expected

"""Agreement, diversity, copies, modes and scores by class, on cases whose answer is known."""

from collections import Counter
from math import log

import numpy as np
import pytest
import torch
from torch import Tensor

from genctl.data.base import Images
from genctl.evaluation.real_reference import FeatureSet, compare_by_class
from genctl.evaluation.scores import (
    agreement,
    class_shares,
    class_spreads,
    copy_rate,
    diversity_ratio,
    expected_kl,
    mean_distance,
    mode_scores,
)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# -- agreement ------------------------------------------------------------------------------------


def test_agreement_is_1_for_the_same_classes_and_chance_for_shuffled_ones(
    rng: torch.Generator,
) -> None:
    labels = torch.arange(10).repeat(1000)
    shuffled = labels[torch.randperm(10_000, generator=rng)]
    assert agreement(labels, labels) == 1
    assert agreement(labels, shuffled) == pytest.approx(0.1, abs=0.02)
    assert agreement(labels, torch.zeros_like(labels)) == 0.1


def test_shares_include_absent_classes() -> None:
    assert class_shares(torch.tensor([0, 0, 2, 0]), 4).tolist() == [0.75, 0, 0.25, 0]


# -- diversity ------------------------------------------------------------------------------------


def test_mean_distance_excludes_the_distance_to_itself() -> None:
    corners = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert float(mean_distance(corners)) == pytest.approx((3 + 4 + 5) / 3)


def test_samples_that_spread_like_their_class_have_diversity_1(rng: torch.Generator) -> None:
    labels = torch.arange(2).repeat_interleave(600)
    scale = torch.tensor([1.0, 5.0]).double()  # the second class spreads more
    real = torch.randn(1200, 16, generator=rng).double() * scale[labels][:, None]
    groups = torch.randn(200, 10, 16, generator=rng).double()
    conditions = torch.arange(2).repeat(100)
    spreads = class_spreads(real, labels, 2)[conditions]
    found = diversity_ratio(groups * scale[conditions][:, None, None], spreads)
    assert found == pytest.approx(1, abs=0.01)


def test_collapsed_samples_have_diversity_0() -> None:
    collapsed = torch.randn(20, 1, 16).expand(-1, 10, -1)
    assert diversity_ratio(collapsed, torch.ones(20)) == 0


def test_class_of_one_image_has_no_spread() -> None:
    spreads = class_spreads(torch.randn(3, 4), torch.tensor([0, 0, 1]), 2)
    assert spreads.isfinite().tolist() == [True, False]


# -- copies ---------------------------------------------------------------------------------------


def random_pixels(count: int, rng: torch.Generator) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), generator=rng, dtype=torch.uint8)


def with_noise(pixels: Tensor, rng: torch.Generator) -> Tensor:
    noise = torch.randint(-9, 10, pixels.shape, generator=rng)
    return (pixels.int() + noise).clamp(0, 255).byte()


def test_copies_are_found_and_new_images_are_not(rng: torch.Generator) -> None:
    training = random_pixels(300, rng)
    new = random_pixels(60, rng)
    assert copy_rate(training, training) == 1
    assert copy_rate(new, training) == 0
    assert copy_rate(torch.cat([new, training[:20]]), training) == 20 / 80


def test_noisy_copy_counts_and_mean_of_two_images_does_not(rng: torch.Generator) -> None:
    training = random_pixels(300, rng)
    assert copy_rate(with_noise(training, rng), training) == 1
    means = ((training[:150].int() + training[150:].int()) // 2).byte()
    assert copy_rate(means, training) == 0


def test_similar_new_images_are_not_copies(rng: torch.Generator) -> None:
    original = random_pixels(1, rng)
    similar = with_noise(original.repeat(60, 1, 1, 1), rng)
    assert copy_rate(similar, with_noise(original.repeat(300, 1, 1, 1), rng)) == 0


# -- modes ----------------------------------------------------------------------------------------


def stacked(num_classes: int) -> Images:
    digit = Images(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(1).long(), ("0", "1"))
    blank = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    classes = tuple(f"{number:03d}" for number in range(num_classes))
    return Images(blank, torch.zeros(1).long(), classes, components=digit)


def test_modes_and_kl_are_those_computed_by_hand() -> None:
    found = mode_scores(torch.tensor([0, 0, 1, 3]), stacked(4))
    assert found == {"modes": 3, "kl": pytest.approx(0.5 * log(0.5 * 4))}  # the others cancel
    assert mode_scores(torch.arange(4), stacked(4)) == {"modes": 4, "kl": pytest.approx(0)}
    one = mode_scores(torch.zeros(9).long(), stacked(4))
    assert one == {"modes": 1, "kl": pytest.approx(log(4))}


def test_modes_and_kl_are_those_of_a_counter() -> None:
    predicted = np.random.default_rng(0).zipf(1.5, 5000) % 1000
    counts = Counter(predicted.tolist())
    kl = sum(n / 5000 * log(n / 5000 / (1 / 1000)) for n in counts.values())
    found = mode_scores(torch.from_numpy(predicted), stacked(1000))
    assert found == {"modes": len(counts), "kl": pytest.approx(kl)}


def test_uniform_samples_have_the_expected_kl_on_average() -> None:
    rng = np.random.default_rng(0)
    images = stacked(1000)
    found = [
        mode_scores(torch.from_numpy(rng.integers(1000, size=25_600)), images) for _ in range(200)
    ]
    assert expected_kl(1000, 25_600) == pytest.approx(0.0195, abs=1e-4)
    mean = np.mean([scores["kl"] for scores in found])
    assert mean == pytest.approx(expected_kl(1000, 25_600), rel=0.02)
    assert {scores["modes"] for scores in found} == {1000}


def test_images_without_components_have_no_modes() -> None:
    single = stacked(2).judge_images
    assert mode_scores(torch.arange(2), single) == {}


# -- by class -------------------------------------------------------------------------------------


def test_classes_are_compared_separately_and_tiny_ones_not_at_all(rng: torch.Generator) -> None:
    labels = torch.tensor([0] * 40 + [1] * 40 + [2] * 3)
    features = torch.randn(83, 4, generator=rng).double() + 100 * labels[:, None]
    shifted = features + torch.where(labels == 1, 10.0, 0.0)[:, None]
    pixels = torch.zeros(83, 1, 8, 8, dtype=torch.uint8)
    real = FeatureSet(pixels, features, labels, labels)
    other = FeatureSet(pixels, shifted, labels, labels)
    same, far, tiny = compare_by_class(real, other, 3)
    assert same["fid"] == pytest.approx(0, abs=1e-9)
    assert far["fid"] == pytest.approx(4 * 10**2)
    assert tiny == {}

"""Agreement, diversity, copies and probes, on cases whose answer is known."""

import pytest
import torch
from torch import Tensor

from genctl.evaluation.agreement import agreement, class_shares
from genctl.evaluation.copies import copy_rate
from genctl.evaluation.diversity import diversity_ratio, mean_distance
from genctl.evaluation.reference import closeness_by_class, spreads
from genctl.inference.probe import linear_probe, nearest_neighbours


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# -- agreement ------------------------------------------------------------------------------------


def test_agreement_is_1_for_the_same_classes_and_chance_for_shuffled_ones(
    random: torch.Generator,
) -> None:
    asked = torch.arange(10).repeat(1000)
    assert agreement(asked, asked) == 1
    assert agreement(asked, asked[torch.randperm(10_000, generator=random)]) == pytest.approx(
        0.1, abs=0.02
    )
    assert agreement(asked, torch.zeros_like(asked)) == 0.1


def test_class_shares_count_absent_classes_too() -> None:
    assert class_shares(torch.tensor([0, 0, 2, 0]), 4).tolist() == [0.75, 0, 0.25, 0]


# -- diversity ------------------------------------------------------------------------------------


def test_the_mean_distance_leaves_out_that_to_itself() -> None:
    corners = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert float(mean_distance(corners)) == pytest.approx((3 + 4 + 5) / 3)


def test_samples_that_spread_as_their_class_does_have_diversity_1(random: torch.Generator) -> None:
    labels = torch.arange(2).repeat_interleave(600)
    width = torch.tensor([1.0, 5.0]).double()  # the classes spread differently
    real = torch.randn(1200, 16, generator=random).double() * width[labels][:, None]
    groups = torch.randn(200, 10, 16, generator=random).double()
    asked = torch.arange(2).repeat(100)
    spread = spreads(real, labels, 2)[asked]
    assert diversity_ratio(groups * width[asked][:, None, None], spread) == pytest.approx(
        1, abs=0.01
    )


def test_a_collapsed_generator_has_diversity_0() -> None:
    one_for_each = torch.randn(20, 1, 16).expand(-1, 10, -1)
    assert diversity_ratio(one_for_each, torch.ones(20)) == 0


def test_a_class_of_one_image_has_no_spread() -> None:
    found = spreads(torch.randn(3, 4), torch.tensor([0, 0, 1]), 2)
    assert found.isfinite().tolist() == [True, False]


# -- copies ---------------------------------------------------------------------------------------


def test_copies_are_found_and_new_images_are_not(random: torch.Generator) -> None:
    trained_on = _pictures(300, random)
    new, copied = _pictures(60, random), trained_on[:20]
    assert copy_rate(trained_on, trained_on) == 1
    assert copy_rate(new, trained_on) == 0
    assert copy_rate(torch.cat([new, copied]), trained_on) == 20 / 80


def test_a_noisy_copy_is_a_copy_and_half_a_copy_is_none(random: torch.Generator) -> None:
    trained_on = _pictures(300, random)
    noise = torch.randint(-9, 10, trained_on.shape, generator=random)
    noisy = (trained_on.int() + noise).clamp(0, 255).byte()
    assert copy_rate(noisy, trained_on) == 1
    mixed = ((trained_on[:150].int() + trained_on[150:].int()) // 2).byte()
    assert copy_rate(mixed, trained_on) == 0


def test_new_images_that_are_alike_are_no_copies(random: torch.Generator) -> None:
    alike = _pictures(1, random).int()

    def variations(count: int) -> Tensor:
        noise = torch.randint(-9, 10, (count, 1, 8, 8), generator=random)
        return (alike + noise).clamp(0, 255).byte()

    assert copy_rate(variations(60), variations(300)) == 0


def _pictures(count: int, random: torch.Generator) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), generator=random, dtype=torch.uint8)


# -- probes ---------------------------------------------------------------------------------------


def test_codes_that_name_their_class_are_read_and_random_ones_are_not(
    random: torch.Generator,
) -> None:
    labels, new_labels = torch.arange(4).repeat(50), torch.arange(4).repeat(25)
    corners = 4 * torch.eye(4)

    def codes(of: Tensor) -> Tensor:
        return corners[of] + 0.3 * torch.randn(len(of), 4, generator=random)

    nothing, new_nothing = (torch.randn(n, 4, generator=random) for n in (200, 100))
    for probe in (linear_probe, nearest_neighbours):
        assert probe(codes(labels), labels, codes(new_labels), new_labels) == 1
        assert probe(nothing, labels, new_nothing, new_labels) < 0.45


# -- by class -------------------------------------------------------------------------------------


def test_each_class_is_compared_with_itself_and_a_tiny_one_with_nothing(
    random: torch.Generator,
) -> None:
    labels = torch.tensor([0] * 40 + [1] * 40 + [2] * 3)
    real = torch.randn(83, 4, generator=random).double() + 100 * labels[:, None]
    moved = real + torch.where(labels == 1, 10.0, 0.0)[:, None]
    same, far, tiny = closeness_by_class(real, labels, moved, labels, 3)
    assert same["fid"] == pytest.approx(0, abs=1e-9)
    assert far["fid"] == pytest.approx(4 * 10**2)
    assert tiny == {}

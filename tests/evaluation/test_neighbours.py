"""Precision, recall, density and coverage, held against loops that follow the papers."""

import math

import pytest
import torch
from torch import Tensor

from genctl.evaluation import neighbours
from genctl.evaluation.neighbours import Neighbourhood, prdc


@pytest.mark.parametrize("k", [1, 3, 5])
def test_loops_over_the_definitions_agree(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 7)  # so that there are many chunks and a short one
    random = torch.Generator().manual_seed(k)
    real = torch.randn(40, 3, generator=random).double()
    fake = torch.randn(33, 3, generator=random).double() * 0.7 + 0.4
    assert prdc(Neighbourhood(real, k), Neighbourhood(fake, k)) == pytest.approx(
        _by_the_book(real, fake, k)
    )


def test_far_away_samples_are_neither_good_nor_complete() -> None:
    real = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    scores = prdc(Neighbourhood(real), Neighbourhood(real + 100))
    assert set(scores.values()) == {0.0}


def test_a_single_mode_is_precise_but_does_not_cover() -> None:
    random = torch.Generator().manual_seed(0)
    left, right = torch.randn(50, 2, generator=random), torch.randn(50, 2, generator=random) + 50
    scores = prdc(Neighbourhood(torch.cat([left, right])), Neighbourhood(left.repeat(2, 1)))
    assert scores["precision"] == 1
    assert scores["coverage"] == 0.5


def test_equal_distributions_are_covered_as_the_formula_says() -> None:
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 4000, 8, generator=random)
    # Naeem et al. 2020, section 3.3: 1 - 2^-k for many images.
    coverage = prdc(Neighbourhood(real, 3), Neighbourhood(fake, 3))["coverage"]
    assert coverage == pytest.approx(1 - 2**-3, abs=0.02)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="5 images have no 5 neighbours"):
        Neighbourhood(torch.zeros(5, 2))


def _by_the_book(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    reals, fakes = real.tolist(), fake.tolist()

    def radius(cloud: list[list[float]], i: int) -> float:
        return sorted(math.dist(cloud[i], other) for j, other in enumerate(cloud) if j != i)[k - 1]

    real_radii = [radius(reals, i) for i in range(len(reals))]
    fake_radii = [radius(fakes, j) for j in range(len(fakes))]
    inside = [
        sum(math.dist(x, y) < r for x, r in zip(reals, real_radii, strict=True)) for y in fakes
    ]
    recalled = [
        any(math.dist(x, y) < r for y, r in zip(fakes, fake_radii, strict=True)) for x in reals
    ]
    covered = [
        any(math.dist(x, y) < r for y in fakes) for x, r in zip(reals, real_radii, strict=True)
    ]
    return {
        "precision": sum(count > 0 for count in inside) / len(fakes),
        "recall": sum(recalled) / len(reals),
        "density": sum(inside) / (k * len(fakes)),
        "coverage": sum(covered) / len(reals),
    }

"""Precision, recall, density and coverage, compared with loops over the papers' definitions."""

import math

import pytest
import torch
from torch import Tensor

from genctl.evaluation import neighbours
from genctl.evaluation.neighbours import Neighbourhood, prdc


@pytest.mark.parametrize("k", [1, 3, 5])
def test_scores_are_those_of_loops_over_the_definitions(
    k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "CHUNK", 7)  # several chunks, the last one shorter
    rng = torch.Generator().manual_seed(k)
    real = torch.randn(40, 3, generator=rng).double()
    fake = torch.randn(33, 3, generator=rng).double() * 0.7 + 0.4
    found = prdc(Neighbourhood(real, k), Neighbourhood(fake, k))
    assert found == pytest.approx(reference_prdc(real, fake, k))


def test_distant_samples_score_zero() -> None:
    real = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    scores = prdc(Neighbourhood(real), Neighbourhood(real + 100))
    assert set(scores.values()) == {0.0}


def test_one_of_two_modes_is_precise_and_covers_half() -> None:
    rng = torch.Generator().manual_seed(0)
    left, right = torch.randn(50, 2, generator=rng), torch.randn(50, 2, generator=rng) + 50
    scores = prdc(Neighbourhood(torch.cat([left, right])), Neighbourhood(left.repeat(2, 1)))
    assert scores["precision"] == 1
    assert scores["coverage"] == 0.5


def test_coverage_of_equal_distributions_is_that_of_the_paper() -> None:
    real, fake = torch.randn(2, 4000, 8, generator=torch.Generator().manual_seed(0))
    # Naeem et al. 2020, section 3.3: 1 - 2^-k for many images.
    coverage = prdc(Neighbourhood(real, 3), Neighbourhood(fake, 3))["coverage"]
    assert coverage == pytest.approx(1 - 2**-3, abs=0.02)


def test_k_images_are_too_few() -> None:
    with pytest.raises(ValueError, match="5 images are too few for 5 neighbours"):
        Neighbourhood(torch.zeros(5, 2))


def reference_prdc(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    reals, fakes = real.tolist(), fake.tolist()

    def radius(points: list[list[float]], i: int) -> float:
        return sorted(math.dist(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]

    real_balls = [(x, radius(reals, i)) for i, x in enumerate(reals)]
    fake_balls = [(y, radius(fakes, j)) for j, y in enumerate(fakes)]
    inside = [sum(math.dist(x, y) < r for x, r in real_balls) for y in fakes]
    recalled = [any(math.dist(x, y) < r for y, r in fake_balls) for x in reals]
    covered = [any(math.dist(x, y) < r for y in fakes) for x, r in real_balls]
    return {
        "precision": sum(count > 0 for count in inside) / len(fakes),
        "recall": sum(recalled) / len(reals),
        "density": sum(inside) / (k * len(fakes)),
        "coverage": sum(covered) / len(reals),
    }

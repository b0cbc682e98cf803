"""The Fréchet distance, held against hand-computed values and another way to compute it."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from genctl.evaluation.fid import Gaussian, frechet_distance, gaussian


def test_shifted_gaussians_are_their_shift_squared_apart() -> None:
    one = Gaussian(torch.zeros(3).double(), torch.eye(3).double())
    other = Gaussian(torch.tensor([3.0, 4.0, 0.0]).double(), torch.eye(3).double())
    assert frechet_distance(one, other) == pytest.approx(25, abs=1e-12)


def test_on_the_diagonal_the_standard_deviations_are_compared() -> None:
    one = Gaussian(torch.zeros(2).double(), torch.diag(torch.tensor([1.0, 4.0])).double())
    other = Gaussian(torch.zeros(2).double(), torch.diag(torch.tensor([9.0, 25.0])).double())
    # (1 - 3)² + (2 - 5)²
    assert frechet_distance(one, other) == pytest.approx(13, abs=1e-12)


def test_a_cloud_is_at_distance_zero_from_itself() -> None:
    cloud = gaussian(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-10)


def test_mean_and_covariance_are_numpys() -> None:
    features = _cloud(40, 6, seed=1)
    found = gaussian(features)
    assert np.allclose(found.mean, features.numpy().mean(axis=0))
    assert np.allclose(found.covariance, np.cov(features.numpy(), rowvar=False))


@pytest.mark.parametrize("count", [400, 20])  # with 20 the covariances are singular
def test_the_textbook_formula_with_scipys_square_root_agrees(count: int) -> None:
    one, other = _cloud(count, 32, seed=2), _cloud(count, 32, seed=3) * 1.5 + 0.3
    expected = _textbook(one.numpy(), other.numpy())
    assert frechet_distance(gaussian(one), gaussian(other)) == pytest.approx(expected, rel=1e-5)


def _cloud(count: int, width: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=random).double()
    return torch.randn(count, width, generator=random).double() @ mix


def _textbook(one: np.ndarray, other: np.ndarray) -> float:
    c1, c2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    # A little on the diagonal, as pytorch-fid does, since sqrtm cannot take a singular matrix.
    little = np.eye(len(c1)) * 1e-9
    root = scipy.linalg.sqrtm((c1 + little) @ (c2 + little)).real
    shift = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    return float(shift + np.trace(c1 + c2 - 2 * root))

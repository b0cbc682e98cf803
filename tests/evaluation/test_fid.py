"""The Fréchet distance, compared with hand-computed values and scipy's matrix square root."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from genctl.evaluation.fid import Gaussian, fit_gaussian, frechet_distance


def random_features(count: int, dim: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=rng).double()
    return torch.randn(count, dim, generator=rng).double() @ mixing


def test_distance_of_shifted_gaussians_is_the_squared_shift() -> None:
    first = Gaussian(torch.zeros(3).double(), torch.eye(3).double())
    second = Gaussian(torch.tensor([3.0, 4.0, 0.0]).double(), torch.eye(3).double())
    assert frechet_distance(first, second) == pytest.approx(25, abs=1e-12)


def test_diagonal_covariances_are_compared_by_standard_deviation() -> None:
    first = Gaussian(torch.zeros(2).double(), torch.diag(torch.tensor([1.0, 4.0])).double())
    second = Gaussian(torch.zeros(2).double(), torch.diag(torch.tensor([9.0, 25.0])).double())
    # (1 - 3)² + (2 - 5)²
    assert frechet_distance(first, second) == pytest.approx(13, abs=1e-12)


def test_distance_of_equal_gaussians_is_zero() -> None:
    gaussian = fit_gaussian(random_features(50, 8, seed=0))
    assert frechet_distance(gaussian, gaussian) == pytest.approx(0, abs=1e-10)


def test_mean_and_covariance_are_those_of_numpy() -> None:
    features = random_features(40, 6, seed=1)
    gaussian = fit_gaussian(features)
    assert np.allclose(gaussian.mean, features.numpy().mean(axis=0))
    assert np.allclose(gaussian.covariance, np.cov(features.numpy(), rowvar=False))


@pytest.mark.parametrize("count", [400, 20])  # with 20 the covariances are singular
def test_distance_is_that_of_the_formula_with_scipys_square_root(count: int) -> None:
    first = random_features(count, 32, seed=2)
    second = random_features(count, 32, seed=3) * 1.5 + 0.3
    expected = reference_distance(first.numpy(), second.numpy())
    found = frechet_distance(fit_gaussian(first), fit_gaussian(second))
    assert found == pytest.approx(expected, rel=1e-5)


def reference_distance(first: np.ndarray, second: np.ndarray) -> float:
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # sqrtm cannot take a singular matrix, so add a little to the diagonal, as pytorch-fid does.
    offset = np.eye(len(c1)) * 1e-9
    root = scipy.linalg.sqrtm((c1 + offset) @ (c2 + offset)).real
    shift = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    return float(shift + np.trace(c1 + c2 - 2 * root))

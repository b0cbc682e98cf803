"""The adversarial flow against numbers computed by hand, and numpy."""

import math

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch import Tensor, nn

from genctl.common.errors import ConfigError
from genctl.conditions.base import Codes
from genctl.config.build import build_model
from genctl.model import Model
from genctl.networks.layers.transport import DECAY, Transport, smoothest_patterns
from genctl.objectives.adversarial_flow import AdversarialFlow
from genctl.objectives.base import ForwardPass, Update
from tests.support.tiny import batch, tiny

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 3.0])


class LinearCritic(nn.Module):
    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        return (images.flatten(1) @ WEIGHTS)[:, None]


def terms(update: str, fake: Tensor, z: Tensor, progress: float = 0.0) -> dict[str, Tensor]:
    objective = AdversarialFlow(gamma=0.0, transport_weight=0.4, transport_weight_end=0.1)
    networks = {"critic": LinearCritic(), "transport": Transport(z.shape[1], 1, 2)}
    model = Model(tiny("condition.kind=none").condition, networks, z.shape[1], "fp32")
    no_codes = torch.empty(len(z), 0)
    forward = ForwardPass(Codes(no_codes, no_codes), fake)
    return objective.terms(Update(update, ()), model, batch(REAL, z, progress=progress), forward)


REAL = torch.tensor([[0.5, 0.1, -0.2, 0.3], [0.0, 0.4, 0.6, -0.1]]).view(2, 1, 2, 2)
FAKE = torch.tensor([[0.2, -0.3, 0.1, 0.0], [0.7, 0.2, -0.5, 0.4]]).view(2, 1, 2, 2)
Z = torch.tensor([[1.0, 0.5, -0.5, 0.2], [-1.0, 0.3, 0.8, -0.6]])


def softplus(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.log1p(np.exp(values))
    return result


def scores(images: Tensor) -> np.ndarray:
    result: np.ndarray = (images.double().flatten(1) @ WEIGHTS.double()).numpy()
    return result


def test_the_critic_ranks_and_centers_its_scores() -> None:
    found = terms("critic", FAKE, Z)
    real, fake = scores(REAL), scores(FAKE)
    assert found["relativistic"].item() == pytest.approx(softplus(fake - real).mean())
    assert found["centering"].item() == pytest.approx(0.01 * ((real + fake) ** 2).mean())


@pytest.mark.parametrize(
    ("progress", "weight"), [(0.0, 0.4), (0.5, 0.25), (1.0, 0.1), (0.25, 0.25 + 0.15 * 0.5**0.5)]
)
def test_the_generator_pays_for_the_way(progress: float, weight: float) -> None:
    found = terms("generator", FAKE, Z, progress)
    distance = ((FAKE.flatten(1) - Z) ** 2).mean().item()
    assert found["transport"].item() == pytest.approx(weight * distance)
    assert found["relativistic"].item() == pytest.approx(
        softplus(scores(REAL) - scores(FAKE)).mean()
    )


def test_the_gradient_of_the_critic_is_divided_by_its_running_rms() -> None:
    transport = Transport(4, 1, 2)
    mean_square = weight = 0.0
    for scale in (1.0, 100.0, 3.0):
        images = torch.randn(5, 1, 2, 2, requires_grad=True)
        passed = transport.normalize_gradient(images)
        assert torch.equal(passed, images)
        outer = scale * torch.randn(5, 1, 2, 2)
        (gradient,) = torch.autograd.grad(passed, images, outer)
        mean_square = DECAY * mean_square + (1 - DECAY) * float((outer**2).mean())
        weight = DECAY * weight + (1 - DECAY)
        expected = outer / math.sqrt(mean_square / weight) / outer.numel()
        torch.testing.assert_close(gradient, expected)


def test_the_first_gradient_has_the_size_of_a_mean() -> None:
    images = torch.zeros(5, 3, 4, 4, requires_grad=True)
    passed = Transport(48, 3, 4).normalize_gradient(images)
    (gradient,) = torch.autograd.grad(passed, images, 1e-4 * torch.randn_like(images))
    assert gradient.square().mean().sqrt().item() == pytest.approx(1 / images.numel(), rel=1e-3)


def test_the_way_has_no_part_in_the_running_mean() -> None:
    fake = FAKE.clone().requires_grad_()
    found = terms("generator", fake, Z)
    (way,) = torch.autograd.grad(found["transport"], fake, retain_graph=True)
    torch.testing.assert_close(way.flatten(1), 0.4 * 2 * (FAKE.flatten(1) - Z) / 8)
    (adversarial,) = torch.autograd.grad(found["relativistic"], fake)
    assert adversarial.square().mean().sqrt().item() == pytest.approx(1 / 8)


# -- where z lies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "channels"), [(5, 1), (64, 1), (30, 3), (192, 3)])
def test_the_patterns_are_those_of_scipy_and_orthonormal(count: int, channels: int) -> None:
    patterns = smoothest_patterns(count, channels, 8).double()
    products = patterns.flatten(1) @ patterns.flatten(1).T
    torch.testing.assert_close(products, torch.eye(count, dtype=torch.float64), rtol=0, atol=1e-6)
    coefficients = dctn(patterns.numpy(), axes=(2, 3), norm="ortho")
    assert np.abs(coefficients).max(axis=(1, 2, 3)) == pytest.approx(np.ones(count))
    frequencies = [(place[1:] ** 2).sum() for place in map(largest, coefficients)]
    assert frequencies == sorted(frequencies)


def largest(coefficients: np.ndarray) -> np.ndarray:
    """The indices of the largest coefficient."""
    return np.array(np.unravel_index(np.abs(coefficients).argmax(), coefficients.shape))


def test_distances_between_z_are_those_between_their_places() -> None:
    z = torch.randn(6, 5)
    placed = Transport(5, 3, 8).place(z)
    assert placed.shape == (6, 3, 8, 8)
    torch.testing.assert_close(torch.cdist(placed.flatten(1), placed.flatten(1)), torch.cdist(z, z))


def test_z_of_the_size_of_an_image_is_an_image() -> None:
    z = torch.randn(2, 3 * 4 * 4)
    assert torch.equal(Transport(48, 3, 4).place(z), z.view(2, 3, 4, 4))


def test_a_z_longer_than_an_image_is_refused() -> None:
    with pytest.raises(ConfigError, match="at most the 64 numbers of an image, found 65"):
        tiny("objective.kind=adversarial_flow", "networks.z_dim=65")


# -- a model --------------------------------------------------------------------------------------


def test_the_running_mean_is_part_of_the_state_and_no_weight() -> None:
    model = build_model(tiny("objective.kind=adversarial_flow"), 4)
    names = [name for name in model.state_dict() if "transport" in name]
    assert names == ["networks.transport.mean_square", "networks.transport.weight"]
    assert set(model.parameter_counts()) == {"generator", "critic", "encoder"}

"""The squared gradients of a critic, against known derivatives and finite differences."""

import pytest
import torch
from torch import Tensor, nn

from genctl.objectives.adversarial import ConditionedCritic
from genctl.objectives.gradient_penalty import outputs_and_squared_gradients
from tests.support.tiny import tiny


class Cubic(nn.Module):
    """D(x) = w Σ x³, with the gradient 3 w x²."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.5))

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        return self.w * images.flatten(1).pow(3).sum(1, keepdim=True)


def conditioned(network: nn.Module, count: int, code_dim: int = 0) -> ConditionedCritic:
    return ConditionedCritic(network, torch.randn(count, code_dim))


@pytest.fixture
def critic() -> ConditionedCritic:
    """A critic of the DCGAN family, with codes for two images."""
    config = tiny()
    return conditioned(config.networks.build_critic(config.data.shape, 3, 0), 2, 3)


def test_squared_gradients_are_summed_over_the_pixels_of_each_image() -> None:
    image = torch.tensor([[1.0, 2], [0, 1]]).expand(1, 1, 2, 2)
    images = torch.cat([image, 2 * image])
    ((output, squared),) = outputs_and_squared_gradients(conditioned(Cubic(), 2), images)
    assert output.scores.tolist() == [0.5 * 10, 0.5 * 80]
    # (3/2)² Σ x⁴: 18 for the first image, 16 times that for the second.
    assert squared.tolist() == [2.25 * 18, 2.25 * 18 * 16]


def test_squared_gradients_can_be_differentiated_with_respect_to_the_weights() -> None:
    network = Cubic()
    ((_, squared),) = outputs_and_squared_gradients(conditioned(network, 1), torch.ones(1, 1, 2, 2))
    squared.sum().backward()
    assert network.w.grad is not None
    assert float(network.w.grad) == 2 * 0.5 * 9 * 4  # d/dw of w² 9 Σ x⁴


def test_squared_gradients_of_a_real_critic_match_finite_differences(
    critic: ConditionedCritic,
) -> None:
    images = torch.randn(2, 1, 8, 8)
    ((_, squared),) = outputs_and_squared_gradients(critic, images)
    network, codes, images = critic.network.double(), critic.codes.double(), images.double()
    step = 1e-6
    expected = torch.zeros(2, dtype=torch.float64)
    with torch.no_grad():
        for pixel in range(64):
            change = torch.zeros(1, 64, dtype=torch.float64)
            change[0, pixel] = step
            above = _score_in_float64(network, images + change.view(1, 1, 8, 8), codes)
            below = _score_in_float64(network, images - change.view(1, 1, 8, 8), codes)
            expected += ((above - below) / (2 * step)).square()
    torch.testing.assert_close(squared.double(), expected, rtol=1e-4, atol=1e-6)


def test_several_batches_give_the_same_as_each_alone(critic: ConditionedCritic) -> None:
    real, fake = torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8)
    together = outputs_and_squared_gradients(critic, real, fake)
    for (output, squared), images in zip(together, (real, fake), strict=True):
        ((output_alone, squared_alone),) = outputs_and_squared_gradients(critic, images)
        torch.testing.assert_close(output.scores, output_alone.scores)
        torch.testing.assert_close(squared, squared_alone)


def test_squared_gradients_are_summed_in_float32_under_autocast(
    critic: ConditionedCritic,
) -> None:
    images = torch.randn(2, 1, 8, 8)
    ((_, plain),) = outputs_and_squared_gradients(critic, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ((_, squared),) = outputs_and_squared_gradients(critic, images)
    assert squared.dtype == torch.float32
    torch.testing.assert_close(squared, plain, rtol=3e-2, atol=0)


def test_the_given_images_require_no_gradient_afterwards() -> None:
    images = torch.ones(1, 1, 2, 2)
    outputs_and_squared_gradients(conditioned(Cubic(), 1), images)
    assert not images.requires_grad


def _score_in_float64(network: nn.Module, images: Tensor, codes: Tensor) -> Tensor:
    """The score without the critic's last conversion to float32, which would hide differences."""
    features = network.get_submodule("body")(images)
    head = network.get_submodule("head")
    projected = codes @ head.get_parameter("projection").T / codes.shape[1] ** 0.5
    score: Tensor = head.get_submodule("head")(features)[:, 0] + (projected * features).sum(1)
    return score

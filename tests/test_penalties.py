"""The critic's slope against finite differences in float64."""

import torch
from tiny import tiny

from genctl.objectives.base import Score
from genctl.objectives.penalties import score_and_slope


class Cubic(torch.nn.Module):
    """D(x) = w Σ x³, whose slope 3 w x² is known."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, images: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        return self.w * images.flatten(1).pow(3).sum(1, keepdim=True)


def test_the_slope_is_summed_over_the_pixels_of_each_image() -> None:
    images = torch.tensor([[1.0, 2], [0, 1]]).expand(1, 1, 2, 2)
    images = torch.cat([images, 2 * images])
    scores, slopes = score_and_slope(Score(Cubic(), torch.empty(2, 0), 0), images)
    assert scores.tolist() == [0.5 * 10, 0.5 * 80]
    # (3/2)² Σ x⁴: 18 for the first image, 16 times that for the second.
    assert slopes.tolist() == [2.25 * 18, 2.25 * 18 * 16]


def test_the_slope_can_be_differentiated_by_the_weights() -> None:
    critic = Cubic()
    _, slopes = score_and_slope(Score(critic, torch.empty(1, 0), 0), torch.ones(1, 1, 2, 2))
    slopes.sum().backward()
    assert critic.w.grad is not None
    assert float(critic.w.grad) == 2 * 0.5 * 9 * 4  # d/dw of w² 9 Σ x⁴


def test_the_slope_of_a_real_critic_is_that_of_finite_differences() -> None:
    config = tiny()
    critic = config.networks.critic(config.data.shape, 3, 0)
    score = Score(critic, torch.randn(2, 3), 0)
    images = torch.randn(2, 1, 8, 8)
    _, slopes = score_and_slope(score, images)
    critic.double()
    code, images = score.code.double(), images.double()
    with torch.no_grad():
        step = 1e-6
        squares = torch.zeros(2, dtype=torch.float64)
        for pixel in range(64):
            moved = torch.zeros(1, 64, dtype=torch.float64)
            moved[0, pixel] = step
            up = _double_score(critic, images + moved.view(1, 1, 8, 8), code)
            down = _double_score(critic, images - moved.view(1, 1, 8, 8), code)
            squares += ((up - down) / (2 * step)).square()
    torch.testing.assert_close(slopes.double(), squares, rtol=1e-4, atol=1e-6)


def test_the_slope_is_computed_in_float32_whatever_surrounds_it() -> None:
    config = tiny()
    score = Score(config.networks.critic(config.data.shape, 0, 0), torch.empty(2, 0), 0)
    images = torch.randn(2, 1, 8, 8)
    plain = score_and_slope(score, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = score_and_slope(score, images)
    assert torch.equal(plain[1], inside[1])


def test_the_images_given_are_left_without_a_gradient() -> None:
    images = torch.ones(1, 1, 2, 2)
    score_and_slope(Score(Cubic(), torch.empty(1, 0), 0), images)
    assert not images.requires_grad


def _double_score(
    critic: torch.nn.Module, images: torch.Tensor, code: torch.Tensor
) -> torch.Tensor:
    """The critic's score without its last step to float32, which finite differences would see."""
    features = critic.get_submodule("body")(images)
    head = critic.get_submodule("head")
    agreement = head.get_parameter("agreement")
    expected = code @ agreement.T / code.shape[1] ** 0.5
    alone: torch.Tensor = head.get_submodule("head")(features)[:, 0]
    return alone + (expected * features).sum(1)

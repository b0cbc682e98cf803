"""The critic's slope against finite differences in float64."""

import torch
from genctl.objectives.penalties import scores_and_slopes

from genctl.objectives.base import Score
from tests.support.tiny import tiny


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
    (scores,), (slopes,) = scores_and_slopes(Score(Cubic(), torch.empty(2, 0), 0), images)
    assert scores.tolist() == [0.5 * 10, 0.5 * 80]
    # (3/2)² Σ x⁴: 18 for the first image, 16 times that for the second.
    assert slopes.tolist() == [2.25 * 18, 2.25 * 18 * 16]


def test_the_slope_can_be_differentiated_by_the_weights() -> None:
    critic = Cubic()
    _, (slopes,) = scores_and_slopes(Score(critic, torch.empty(1, 0), 0), torch.ones(1, 1, 2, 2))
    slopes.sum().backward()
    assert critic.w.grad is not None
    assert float(critic.w.grad) == 2 * 0.5 * 9 * 4  # d/dw of w² 9 Σ x⁴


def test_the_slope_of_a_real_critic_is_that_of_finite_differences() -> None:
    config = tiny()
    critic = config.networks.critic(config.data.shape, 3, 0)
    score = Score(critic, torch.randn(2, 3), 0)
    images = torch.randn(2, 1, 8, 8)
    _, (slopes,) = scores_and_slopes(score, images)
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


def test_several_batches_are_scored_together_as_each_alone() -> None:
    config = tiny()
    critic = config.networks.critic(config.data.shape, 3, 0)
    code, real, fake = torch.randn(2, 3), torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8)
    scores, slopes = scores_and_slopes(Score(critic, code, 0), real, fake)
    for number, images in enumerate((real, fake)):
        (alone,), (slope,) = scores_and_slopes(Score(critic, code, 0), images)
        torch.testing.assert_close(scores[number], alone)
        torch.testing.assert_close(slopes[number], slope)


def test_what_was_scored_is_not_scored_again() -> None:
    critic, asked = Cubic(), []
    critic.register_forward_hook(lambda *_: asked.append(1))
    score, images = Score(critic, torch.empty(1, 0), 0), torch.ones(1, 1, 2, 2)
    (scores,), _ = scores_and_slopes(score, images)
    assert torch.equal(score(images), scores)
    assert len(asked) == 1


def test_slopes_are_summed_in_float32_whatever_surrounds_them() -> None:
    config = tiny()
    score = Score(config.networks.critic(config.data.shape, 0, 0), torch.empty(2, 0), 0)
    images = torch.randn(2, 1, 8, 8)
    _, (plain,) = scores_and_slopes(score, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, (inside,) = scores_and_slopes(score, images)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, plain, rtol=3e-2, atol=0)


def test_the_images_given_are_left_without_a_gradient() -> None:
    images = torch.ones(1, 1, 2, 2)
    scores_and_slopes(Score(Cubic(), torch.empty(1, 0), 0), images)
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

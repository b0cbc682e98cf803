"""Every formula against numbers worked out by hand, on a critic that can be seen through.

The critic is D(x) = a·x with a = (1, 2, 2, 0) / 2, so its slope is a everywhere and ||a||² = 9/4.
Two real images score 1 and 3, two generated ones 2 and -4.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genctl.common.registry import kinds
from genctl.model import Model
from genctl.objectives.base import Adversarial, Score, Turn
from genctl.objectives.hinge import Hinge
from genctl.objectives.least_squares import LeastSquares
from genctl.objectives.nonsaturating import NonSaturating
from genctl.objectives.r3gan import R3GAN
from genctl.objectives.relativistic import Relativistic
from genctl.objectives.vae import Vae
from genctl.objectives.wgan_gp import WganGp
from tests.support.tiny import batch, tiny

SLOPE = torch.tensor([1.0, 2.0, 2.0, 0.0]) / 2
REAL = torch.tensor([[2.0, 0, 0, 9], [0, 3, 0, 9]]).reshape(2, 1, 2, 2)
FAKE = torch.tensor([[0.0, 1, 1, 5], [-8, 0, 0, 5]]).reshape(2, 1, 2, 2)
NOTHING = torch.empty(2, 0)


class Linear(nn.Module):
    """D(x) = a·x, whatever the code."""

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        assert len(images) == len(code)
        return (images.flatten(1) @ SLOPE)[:, None]


def terms(
    objective: Adversarial, whose: str, step: int = 0, progress: float = 0.0
) -> dict[str, float]:
    formula = objective.critic_terms if whose == "critic" else objective.generator_terms
    played = batch(REAL, torch.zeros(2, 4), objective.variant(step), progress)
    found = formula(Score(Linear(), NOTHING, 0), REAL, FAKE, played)
    assert all(value.shape == () for value in found.values())
    return {name: float(value.detach()) for name, value in found.items()}


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_hinge() -> None:
    critic = {"real": (0 + 0) / 2, "fake": (3 + 0) / 2}
    assert terms(Hinge(), "critic") == pytest.approx(critic)
    assert terms(Hinge(), "generator") == pytest.approx({"fake": -(2 - 4) / 2})


def test_hinge_counts_real_images_inside_the_margin() -> None:
    found = Hinge().critic_terms(Score(Linear(), NOTHING, 0), REAL / 4, FAKE, batch(REAL, NOTHING))
    assert found["real"].item() == pytest.approx((0.75 + 0.25) / 2)  # scores 1/4 and 3/4


def test_least_squares() -> None:
    critic = {"real": (0 + 4) / 2 / 2, "fake": (4 + 16) / 2 / 2}
    assert terms(LeastSquares(), "critic") == pytest.approx(critic)
    assert terms(LeastSquares(), "generator") == pytest.approx({"fake": (1 + 25) / 2 / 2})


def test_nonsaturating() -> None:
    critic = {
        "real": (softplus(-1) + softplus(-3)) / 2,
        "fake": (softplus(2) + softplus(-4)) / 2,
    }
    off = NonSaturating(gamma=0.0)
    assert terms(off, "critic") == pytest.approx(critic)
    generator = {"fake": (softplus(-2) + softplus(4)) / 2}
    assert terms(off, "generator") == pytest.approx(generator)
    held = terms(NonSaturating(gamma=0.5, r1_interval=1), "critic")
    assert held == pytest.approx(critic | {"r1": 0.5 / 2 * 9 / 4})


def test_the_lazy_penalty_comes_every_nth_step_n_times_as_strong() -> None:
    objective = NonSaturating(gamma=0.5, r1_interval=3)
    penalties = [terms(objective, "critic", step=step).get("r1") for step in range(7)]
    strong = pytest.approx(3 * 0.5 / 2 * 9 / 4)
    assert penalties == [strong, None, None, strong, None, None, strong]


def test_the_lazy_penalty_leaves_the_other_terms_as_they_are() -> None:
    with_it = terms(NonSaturating(r1_interval=2), "critic", step=0)
    without = terms(NonSaturating(r1_interval=2), "critic", step=1)
    assert {name: with_it[name] for name in without} == pytest.approx(without)


def test_r3gan() -> None:
    objective = R3GAN(gamma=0.8, gamma_end=0.8)
    assert terms(objective, "critic") == pytest.approx(
        {
            "pair": (softplus(2 - 1) + softplus(-4 - 3)) / 2,
            "r1": 0.8 / 2 * 9 / 4,
            "r2": 0.8 / 2 * 9 / 4,
        }
    )
    generator = {"pair": (softplus(1 - 2) + softplus(3 + 4)) / 2}
    assert terms(objective, "generator") == pytest.approx(generator)


def test_relativistic() -> None:
    pair = {"pair": (softplus(2 - 1) + softplus(-4 - 3)) / 2}
    objective = Relativistic(gamma=0.5, r1_interval=3)
    found = [terms(objective, "critic", step=step) for step in range(4)]
    held = pytest.approx(pair | {"r1": 3 * 0.5 / 2 * 9 / 4})
    assert found == [held, pytest.approx(pair), pytest.approx(pair), held]
    generator = {"pair": (softplus(1 - 2) + softplus(3 + 4)) / 2}
    assert terms(objective, "generator") == pytest.approx(generator)


@pytest.mark.parametrize(
    ("progress", "gamma"),
    [(0.0, 2.0), (0.1, 1.25), (0.2, 0.5), (0.5, 0.5), (1.0, 0.5), (0.05, 1.7803300858899107)],
)
def test_the_weight_of_r3gan_falls_along_a_cosine(progress: float, gamma: float) -> None:
    objective = R3GAN(gamma=2.0, gamma_end=0.5, gamma_burn_in=0.2)
    assert float(objective.gamma_at(torch.tensor(progress))) == pytest.approx(gamma)
    assert terms(objective, "critic", progress=progress)["r2"] == pytest.approx(gamma * 9 / 8)


def test_without_a_burn_in_the_weight_is_the_last_from_the_start() -> None:
    assert R3GAN(gamma=2.0, gamma_end=0.5, gamma_burn_in=0.0).gamma_at(torch.tensor(0.0)) == 0.5


def test_wgan_gp() -> None:
    critic = {"wasserstein": -1 - 2, "penalty": 7 * (1.5 - 1) ** 2}
    assert terms(WganGp(gradient_penalty_weight=7.0), "critic") == pytest.approx(critic)
    assert terms(WganGp(), "generator") == pytest.approx({"fake": -(2 - 4) / 2})


def test_wgan_gp_mixes_every_pair_with_a_weight_of_its_own() -> None:
    seen: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.flatten(1).sum(1)

    real, fake = torch.zeros(64, 1, 4, 4), torch.ones(64, 1, 4, 4)
    WganGp().critic_terms(score_by(critic), real, fake, batch(real, torch.zeros(64, 4)))
    mixture = seen[-1].flatten(1)
    assert torch.equal(mixture, mixture[:, :1].expand(-1, 16))  # one weight for a whole image
    weights = mixture[:, 0]
    assert len(weights.unique()) == 64
    assert 0 <= weights.min() < 0.2 < 0.8 < weights.max() <= 1


def test_the_critic_of_wgan_gp_learns_five_times() -> None:
    turns = [(turn.name, turn.learners, turn.repeats) for turn in WganGp().turns()]
    assert turns == [("critic", ("critic",), 5), ("generator", ("generator", "encoder"), 1)]


def test_a_flat_critic_has_a_finite_penalty_and_gradient() -> None:
    real = torch.zeros(2, 1, 4, 4)
    weight = torch.zeros((), requires_grad=True)
    score = score_by(lambda images: weight * images.flatten(1).sum(1))
    found = WganGp().critic_terms(score, real, real, batch(real, torch.zeros(2, 4)))
    found["penalty"].backward()
    assert found["penalty"].item() == pytest.approx(10, rel=1e-4)
    assert weight.grad is not None
    assert bool(weight.grad.isfinite())


def test_vae_is_in_nats_per_image() -> None:
    config = tiny("condition.kind=none", "objective.kind=vae", "objective.beta=3.0")
    model = Model(config, 0)
    real = torch.rand(6, 1, 8, 8) * 2 - 1
    played = batch(real, torch.randn(6, 4))
    nothing = torch.empty(6, 0)
    with torch.no_grad():
        state = {name: value.clone() for name, value in model.state_dict().items()}
        found = Vae(beta=3.0).terms(Turn("autoencoder", ()), model, played)
        model.load_state_dict(state)  # BatchNorm has moved on
        mean, log_variance = model.posterior(real, nothing)
        posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
        prior = torch.distributions.Normal(0.0, 1.0)
        drawn = posterior.loc + posterior.scale * played.noise
        images = model.generate(drawn, nothing)
        # Pixels as probabilities of a Bernoulli; its log_prob takes targets in between, too.
        pixels = torch.distributions.Bernoulli((images + 1) / 2, validate_args=False)
        expected = -pixels.log_prob((real + 1) / 2).sum() / 6
        divergence = torch.distributions.kl_divergence(posterior, prior).sum() / 6
    torch.testing.assert_close(found["reconstruction"], expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found["divergence"], 3 * divergence)


def test_vae_survives_pixels_that_are_certain() -> None:
    config = tiny("condition.kind=none", "objective.kind=vae")
    model = Model(config, 0)
    model.generate = lambda z, code: torch.ones(2, 1, 8, 8)  # type: ignore[method-assign]
    found = Vae().terms(
        Turn("autoencoder", ()), model, batch(-torch.ones(2, 1, 8, 8), torch.zeros(2, 4))
    )
    assert found["reconstruction"].isfinite()


ADVERSARIAL = [kind for kind, game in kinds("objectives").items() if issubclass(game, Adversarial)]


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_each_turn_moves_its_learners_and_nobody_else(kind: str) -> None:
    config = tiny(f"objective.kind={kind}", "condition.kind=image", "condition.code_dim=4")
    model = Model(config, 4)
    real = torch.rand(8, 1, 8, 8) * 2 - 1
    for turn in config.objective.turns():
        model.zero_grad()
        found = config.objective.terms(turn, model, batch(real, torch.randn(8, 4), classes=4))
        torch.stack(list(found.values())).sum().backward()
        moved = {
            role
            for role, network in model.roles.items()
            if any(p.grad is not None and p.grad.any() for p in network.parameters())
        }
        assert moved == set(turn.learners)


def score_by(critic: Callable[[Tensor], Tensor]) -> Score:
    """A score from a plain function of images."""
    asked: Any = lambda images, code: critic(images)[:, None]  # noqa: E731
    return Score(asked, NOTHING, 0)


def test_the_critic_is_asked_about_each_batch_once() -> None:
    asked: list[int] = []

    def critic(images: Tensor) -> Tensor:
        asked.append(len(images))
        return images.flatten(1).sum(1)

    score = score_by(critic)
    real_scores, fake_scores = score.each(REAL, FAKE)
    assert torch.equal(score(REAL), real_scores)
    assert torch.equal(score(FAKE), fake_scores)
    assert asked == [4]
    assert torch.equal(score(REAL.clone()), real_scores)
    assert asked == [4, 2]

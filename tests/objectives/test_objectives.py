"""Every formula against numbers computed by hand.

The critic is D(x) = a·x with a = (1, 2, 2, 0) / 2, so its gradient is a everywhere and ||a||² is
9/4. Two real images have the scores 1 and 3, two generated ones 2 and -4.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genctl.common.registry import kinds
from genctl.conditions.base import Codes
from genctl.config.build import build_model
from genctl.data.batch import Batch
from genctl.model import Model
from genctl.objectives.adversarial import Adversarial, ConditionedCritic
from genctl.objectives.base import ForwardPass, Terms, Update
from genctl.objectives.hinge import Hinge
from genctl.objectives.least_squares import LeastSquares
from genctl.objectives.nonsaturating import NonSaturating
from genctl.objectives.r3gan import R3GAN
from genctl.objectives.relativistic import Relativistic
from genctl.objectives.vae import Vae
from genctl.objectives.wgan_gp import WganGp
from tests.support.tiny import batch, tiny

GRADIENT = torch.tensor([1.0, 2.0, 2.0, 0.0]) / 2
REAL = torch.tensor([[2.0, 0, 0, 9], [0, 3, 0, 9]]).reshape(2, 1, 2, 2)
FAKE = torch.tensor([[0.0, 1, 1, 5], [-8, 0, 0, 5]]).reshape(2, 1, 2, 2)
NO_CODES = torch.empty(2, 0)


class FunctionCritic(nn.Module):
    """A plain function of images (N, C, H, W) as a critic that ignores the codes."""

    def __init__(self, scores: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        assert len(images) == len(codes)
        return self.scores(images)[:, None]


LINEAR = FunctionCritic(lambda images: images.flatten(1) @ GRADIENT)


def critic_terms(
    objective: Adversarial, inputs: Batch, fake: Tensor = FAKE, critic: nn.Module = LINEAR
) -> Terms:
    """The terms of the critic's update, with penalties."""
    model = Model(tiny("condition.kind=none").condition, {"critic": critic}, 4, "fp32")
    forward = ForwardPass(Codes(NO_CODES, inputs.real.new_empty(len(inputs.real), 0)), fake)
    return objective.terms(Update("critic", ("critic",)), model, inputs, forward)


def critic_values(objective: Adversarial, step: int = 0, progress: float = 0.0) -> dict[str, float]:
    inputs = batch(REAL, torch.zeros(2, 4), objective.variant(step), progress)
    return values(critic_terms(objective, inputs))


def generator_values(objective: Adversarial) -> dict[str, float]:
    return values(objective.generator_terms(ConditionedCritic(LINEAR, NO_CODES), REAL, FAKE))


def values(terms: Terms) -> dict[str, float]:
    assert all(value.shape == () for value in terms.values())
    return {name: float(value.detach()) for name, value in terms.items()}


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_the_scores_are_those_above() -> None:
    real, fake = ConditionedCritic(LINEAR, NO_CODES)(REAL, FAKE)
    assert (real.scores.tolist(), fake.scores.tolist()) == ([1, 3], [2, -4])


def test_hinge() -> None:
    assert critic_values(Hinge()) == pytest.approx({"real": (0 + 0) / 2, "fake": (3 + 0) / 2})
    assert generator_values(Hinge()) == pytest.approx({"fake": -(2 - 4) / 2})


def test_hinge_penalizes_real_images_inside_the_margin() -> None:
    terms = critic_terms(Hinge(), batch(REAL / 4, NO_CODES))
    assert terms["real"].item() == pytest.approx((0.75 + 0.25) / 2)  # scores 1/4 and 3/4


def test_least_squares() -> None:
    expected = {"real": (0 + 4) / 2 / 2, "fake": (4 + 16) / 2 / 2}
    assert critic_values(LeastSquares()) == pytest.approx(expected)
    assert generator_values(LeastSquares()) == pytest.approx({"fake": (1 + 25) / 2 / 2})


def test_nonsaturating() -> None:
    expected = {
        "real": (softplus(-1) + softplus(-3)) / 2,
        "fake": (softplus(2) + softplus(-4)) / 2,
    }
    without_r1 = NonSaturating(gamma=0.0)
    assert critic_values(without_r1) == pytest.approx(expected)
    assert generator_values(without_r1) == pytest.approx({"fake": (softplus(-2) + softplus(4)) / 2})
    with_r1 = critic_values(NonSaturating(gamma=0.5, r1_interval=1))
    assert with_r1 == pytest.approx(expected | {"r1": 0.5 / 2 * 9 / 4})


def test_lazy_r1_is_computed_in_every_nth_step_and_n_times_as_strong() -> None:
    objective = NonSaturating(gamma=0.5, r1_interval=3)
    penalties = [critic_values(objective, step=step).get("r1") for step in range(7)]
    strong = pytest.approx(3 * 0.5 / 2 * 9 / 4)
    assert penalties == [strong, None, None, strong, None, None, strong]


def test_lazy_r1_does_not_change_the_other_terms() -> None:
    with_r1, without_r1 = (critic_values(NonSaturating(r1_interval=2), step) for step in (0, 1))
    assert {name: with_r1[name] for name in without_r1} == pytest.approx(without_r1)


def test_r3gan() -> None:
    objective = R3GAN(gamma=0.8, gamma_end=0.8)
    assert critic_values(objective) == pytest.approx(
        {
            "relativistic": (softplus(2 - 1) + softplus(-4 - 3)) / 2,
            "r1": 0.8 / 2 * 9 / 4,
            "r2": 0.8 / 2 * 9 / 4,
        }
    )
    expected = {"relativistic": (softplus(1 - 2) + softplus(3 + 4)) / 2}
    assert generator_values(objective) == pytest.approx(expected)


def test_relativistic() -> None:
    plain = {"relativistic": (softplus(2 - 1) + softplus(-4 - 3)) / 2}
    objective = Relativistic(gamma=0.5, r1_interval=3)
    found = [critic_values(objective, step) for step in range(4)]
    with_r1 = pytest.approx(plain | {"r1": 3 * 0.5 / 2 * 9 / 4})
    assert found == [with_r1, pytest.approx(plain), pytest.approx(plain), with_r1]
    expected = {"relativistic": (softplus(1 - 2) + softplus(3 + 4)) / 2}
    assert generator_values(objective) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("progress", "gamma"),
    [(0.0, 2.0), (0.1, 1.25), (0.2, 0.5), (0.5, 0.5), (1.0, 0.5), (0.05, 1.7803300858899107)],
)
def test_gamma_of_r3gan_follows_a_cosine(progress: float, gamma: float) -> None:
    objective = R3GAN(gamma=2.0, gamma_end=0.5, gamma_burn_in=0.2)
    assert float(objective.gamma_at(torch.tensor(progress))) == pytest.approx(gamma)
    assert critic_values(objective, progress=progress)["r2"] == pytest.approx(gamma * 9 / 8)


def test_without_a_burn_in_gamma_has_its_last_value_from_the_start() -> None:
    assert R3GAN(gamma=2.0, gamma_end=0.5, gamma_burn_in=0.0).gamma_at(torch.tensor(0.0)) == 0.5


def test_wgan_gp() -> None:
    expected = {"wasserstein": -1 - 2, "gradient_penalty": 7 * (1.5 - 1) ** 2}
    assert critic_values(WganGp(gradient_penalty_weight=7.0)) == pytest.approx(expected)
    assert generator_values(WganGp()) == pytest.approx({"fake": -(2 - 4) / 2})


def test_wgan_gp_mixes_every_pair_with_a_weight_of_its_own() -> None:
    seen: list[Tensor] = []

    def scores(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.flatten(1).sum(1)

    real, fake = torch.zeros(64, 1, 4, 4), torch.ones(64, 1, 4, 4)
    critic_terms(WganGp(), batch(real, torch.zeros(64, 4)), fake, FunctionCritic(scores))
    mixture = seen[-1].flatten(1)
    assert torch.equal(mixture, mixture[:, :1].expand(-1, 16))  # one weight for a whole image
    weights = mixture[:, 0]
    assert len(weights.unique()) == 64
    assert 0 <= weights.min() < 0.2 < 0.8 < weights.max() <= 1


def test_wgan_gp_repeats_the_update_of_the_critic_five_times() -> None:
    assert WganGp().updates() == (
        Update("critic", ("critic",), repeats=5),
        Update("generator", ("generator", "encoder"), repeats=1),
    )


def test_a_constant_critic_has_a_finite_penalty_and_gradient() -> None:
    real = torch.zeros(2, 1, 4, 4)
    weight = torch.zeros((), requires_grad=True)
    critic = FunctionCritic(lambda images: weight * images.flatten(1).sum(1))
    terms = critic_terms(WganGp(), batch(real, torch.zeros(2, 4)), real, critic)
    terms["gradient_penalty"].backward()
    assert terms["gradient_penalty"].item() == pytest.approx(10, rel=1e-4)
    assert weight.grad is not None
    assert bool(weight.grad.isfinite())


def vae_terms(objective: Vae, model: Model, inputs: Batch) -> Terms:
    (update,) = objective.updates()
    return objective.terms(update, model, inputs, objective.forward(model, inputs))


def test_the_vae_loss_is_in_nats_per_image() -> None:
    model = build_model(tiny("condition.kind=none", "objective.kind=vae"), 0)
    real = torch.rand(6, 1, 8, 8) * 2 - 1
    inputs = batch(real, torch.randn(6, 4))
    no_codes = torch.empty(6, 0)
    with torch.no_grad():
        state = {name: value.clone() for name, value in model.state_dict().items()}
        terms = vae_terms(Vae(beta=3.0), model, inputs)
        model.load_state_dict(state)  # BatchNorm's statistics have changed
        mean, log_variance = model.posterior(real, no_codes)
        posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
        prior = torch.distributions.Normal(0.0, 1.0)
        images = model.generate(posterior.loc + posterior.scale * inputs.z, no_codes)
        # Pixels as probabilities of a Bernoulli, whose log_prob accepts targets between 0 and 1.
        pixels = torch.distributions.Bernoulli((images + 1) / 2, validate_args=False)
        reconstruction = -pixels.log_prob((real + 1) / 2).sum() / 6
        kl = torch.distributions.kl_divergence(posterior, prior).sum() / 6
    torch.testing.assert_close(terms["reconstruction"], reconstruction, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(terms["kl"], 3 * kl)


def test_the_vae_loss_is_finite_where_pixels_are_certain_and_wrong() -> None:
    model = build_model(tiny("condition.kind=none", "objective.kind=vae"), 0)
    inputs = batch(-torch.ones(2, 1, 8, 8), torch.zeros(2, 4))
    certain = ForwardPass(model.codes(inputs), torch.ones(2, 1, 8, 8))
    (update,) = Vae().updates()
    assert Vae().terms(update, model, inputs, certain)["reconstruction"].isfinite()


ADVERSARIAL = [kind for kind, cls in kinds("objectives").items() if issubclass(cls, Adversarial)]


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_each_update_has_gradients_for_its_own_roles_only(kind: str) -> None:
    config = tiny(f"objective.kind={kind}", "condition.kind=image", "condition.code_dim=4")
    model = build_model(config, 4)
    inputs = batch(torch.rand(8, 1, 8, 8) * 2 - 1, torch.randn(8, 4), classes=4)
    for update in config.objective.updates():
        model.zero_grad()
        forward = config.objective.forward(model, inputs)
        terms = config.objective.terms(update, model, inputs, forward)
        torch.stack(list(terms.values())).sum().backward()
        with_gradients = {
            role
            for role, network in model.networks.items()
            if any(p.grad is not None and p.grad.any() for p in network.parameters())
        }
        assert with_gradients == set(update.roles)


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_the_critic_classifies_real_images_if_that_has_a_weight(weight: float) -> None:
    config = tiny("condition.code_dim=4", f"objective.critic_cross_entropy_weight={weight}")
    model = build_model(config, 4)
    inputs = batch(torch.rand(8, 1, 8, 8) * 2 - 1, torch.randn(8, 4), classes=4)
    forward = config.objective.forward(model, inputs)
    terms = config.objective.terms(config.objective.updates()[0], model, inputs, forward)
    logits = model.critic(inputs.real, forward.codes.critic)[:, 1:]
    assert logits.shape == (8, 4 if weight else 0)
    assert ("cross_entropy" in terms) == bool(weight)
    if weight:
        probabilities = logits.softmax(1)[torch.arange(8), inputs.labels]
        torch.testing.assert_close(terms["cross_entropy"], -3 * probabilities.log().mean())


@pytest.mark.parametrize("kind", ["relativistic", "nonsaturating", "r3gan", "hinge"])
def test_the_critic_classifies_generated_images_if_that_has_a_weight(kind: str) -> None:
    weights = ("critic_cross_entropy_weight=1", "generator_cross_entropy_weight=3")
    settings = (f"objective.{weight}" for weight in weights)
    config = tiny("condition.code_dim=4", f"objective.kind={kind}", *settings)
    model = build_model(config, 4)
    passes: list[int] = []
    model.critic.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))
    inputs = batch(torch.rand(8, 1, 8, 8) * 2 - 1, torch.randn(8, 4), classes=4)
    forward = config.objective.forward(model, inputs)
    terms = config.objective.terms(config.objective.updates()[1], model, inputs, forward)
    without = config.objective.model_copy(update={"generator_cross_entropy_weight": 0.0})
    count = len(passes)
    others = without.terms(config.objective.updates()[1], model, inputs, forward)
    assert len(passes) == 2 * count, "the logits come from the pass that computes the scores"
    logits = model.critic(forward.images, forward.codes.critic)[:, 1:]
    probabilities = logits.softmax(1)[torch.arange(8), inputs.labels]
    torch.testing.assert_close(terms.pop("class"), -3 * probabilities.log().mean())
    torch.testing.assert_close(terms, others)


def test_a_generator_that_is_told_no_class_is_not_judged_by_it() -> None:
    weights = ("critic_cross_entropy_weight=1", "generator_cross_entropy_weight=3")
    config = tiny("condition.kind=none", *(f"objective.{weight}" for weight in weights))
    inputs = batch(torch.rand(8, 1, 8, 8) * 2 - 1, torch.randn(8, 4), classes=4)
    model = build_model(config, 4)
    forward = config.objective.forward(model, inputs)
    terms = config.objective.terms(config.objective.updates()[1], model, inputs, forward)
    assert "class" not in terms


def test_several_batches_take_one_pass_of_the_critic() -> None:
    counts: list[int] = []
    network = FunctionCritic(lambda images: images.flatten(1).sum(1))
    network.register_forward_hook(lambda _, inputs, __: counts.append(len(inputs[0])))
    real, fake = ConditionedCritic(network, NO_CODES)(REAL, FAKE)
    assert counts == [4]
    assert torch.equal(real.scores, REAL.flatten(1).sum(1))
    assert torch.equal(fake.scores, FAKE.flatten(1).sum(1))

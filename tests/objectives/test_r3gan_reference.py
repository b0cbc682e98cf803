"""The gradients of R3GAN, second derivatives and all, against another way to compute them.

The product differentiates the summed scores of a batch with `torch.autograd`. Here each image has
a slope of its own from `torch.func`, and gradients are those of `torch.func` or of finite
differences. All of it in float64, so that a small mistake is not taken for rounding.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from genctl.data.batch import Batch
from genctl.model import Model
from genctl.objectives.base import Objective, Turn
from tests.support.tiny import batch, tiny

GAMMA = 0.7
CRITIC, GENERATOR = Turn("critic", ("critic",)), Turn("generator", ("generator", "encoder"))
CANCELLED = ("head.head.bias", "body.last.bias")  # what is the same for both images of a pair
Weights = dict[str, Tensor]
Game = tuple[Objective, Model, Batch]


@pytest.fixture(params=["dcgan", "resnet"])
def game(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Game:
    """An objective, a model and a batch to play with."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    config = tiny(
        "condition.kind=label",
        "condition.code_dim=3",
        "objective.critic_cross_entropy_weight=0.0",
        "objective.kind=r3gan",
        f"objective.gamma={GAMMA}",
        f"objective.gamma_end={GAMMA}",
        family=request.param,
    )
    model = Model(config, 4).double()
    torch.manual_seed(1)
    for parameter in model.parameters():  # away from zeros, where a slope could hide
        parameter.data += 0.1 * torch.randn_like(parameter)
    real = torch.rand(5, 1, 8, 8, dtype=torch.float64) * 2 - 1
    return config.objective, model, batch(real, torch.randn(5, 4, dtype=torch.float64), classes=4)


def critic_loss(
    critic: nn.Module, weights: Weights, real: Tensor, fake: Tensor, codes: Tensor
) -> Tensor:
    """The paper's formula, image by image."""

    def score(image: Tensor, code: Tensor) -> Tensor:
        verdict: Tensor = functional_call(critic, weights, (image[None], code[None]))
        return verdict[0, 0]

    def one(x: Tensor, fake_x: Tensor, code: Tensor) -> Tensor:
        pair = torch.log1p(torch.exp(score(fake_x, code) - score(x, code)))
        r1 = grad(score)(x, code).square().sum()
        r2 = grad(score)(fake_x, code).square().sum()
        return pair + GAMMA / 2 * (r1 + r2)

    return vmap(one)(real, fake, codes).mean()


def lower(objective: Objective, turn: Turn, model: Model, played: Batch) -> Tensor:
    """Leave the gradients of a turn in the model; returns what is lowered."""
    loss = torch.stack(list(objective.terms(turn, model, played).values())).sum()
    loss.backward()
    return loss.detach()


def test_the_critics_gradient_is_that_of_the_formula(game: Game) -> None:
    objective, model, played = game
    found = lower(objective, CRITIC, model, played)
    fake, codes = played.shared["fake"].detach(), played.shared["codes"].critic
    weights = {name: weight.detach() for name, weight in model.critic.named_parameters()}

    def loss(weights: Weights) -> Tensor:
        return critic_loss(model.critic, weights, played.real, fake, codes)

    torch.testing.assert_close(found, loss(weights))
    expected = grad(loss)(weights)
    for name, parameter in model.critic.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.any() or name in CANCELLED
        torch.testing.assert_close(parameter.grad, expected[name])


@pytest.mark.parametrize("turn", [CRITIC, GENERATOR], ids=["critic", "generator"])
def test_the_gradient_is_that_of_finite_differences(game: Game, turn: Turn) -> None:
    objective, model, played = game
    before = lower(objective, turn, model, played)
    critics = played.shared["codes"].critic

    def loss() -> float:
        # A new batch, so that nothing is remembered but the critic's codes, which are no way for
        # the encoder to learn.
        again = batch(played.real, played.noise, classes=4)
        again.shared["codes"] = replace(model.codes(again), critic=critics)
        return sum(float(value.detach()) for value in objective.terms(turn, model, again).values())

    assert loss() == pytest.approx(float(before))
    step = 1e-6
    for role in turn.learners:
        for name, parameter in model.roles[role].named_parameters():
            assert parameter.grad is not None
            way = torch.randn(parameter.shape, dtype=torch.float64)
            parameter.data += step * way
            up = loss()
            parameter.data -= 2 * step * way
            down = loss()
            parameter.data += step * way
            slope = float((parameter.grad * way).sum())
            assert slope == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-7), name

"""The gradients of R3GAN, second derivatives included, against two other ways to compute them.

The objective differentiates the summed scores of a batch with `torch.autograd`. Here each image has
a gradient of its own from `torch.func`, and gradients of the weights are those of `torch.func` or
of finite differences. All in float64, so that a small mistake is not taken for rounding.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from genctl.config.build import build_model
from genctl.data.batch import Batch
from genctl.model import Model
from genctl.objectives.base import Objective, Update
from tests.support.tiny import batch, tiny

GAMMA = 0.7
CANCELLED = ("head.head.bias", "body.last.bias")  # the same for both images of a pair
Weights = dict[str, Tensor]
Setup = tuple[Objective, Model, Batch]


@pytest.fixture(params=["dcgan", "resnet"])
def setup(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """An objective, a model and a batch, all in float64."""
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
    model = build_model(config, 4).double()
    torch.manual_seed(1)
    for parameter in model.parameters():  # zeros could hide a wrong gradient
        parameter.data += 0.1 * torch.randn_like(parameter)
    real = torch.rand(5, 1, 8, 8, dtype=torch.float64) * 2 - 1
    return config.objective, model, batch(real, torch.randn(5, 4, dtype=torch.float64), classes=4)


def reference_loss(
    critic: nn.Module, weights: Weights, real: Tensor, fake: Tensor, codes: Tensor
) -> Tensor:
    """The critic's loss in the paper, image by image."""

    def score(image: Tensor, code: Tensor) -> Tensor:
        output: Tensor = functional_call(critic, weights, (image[None], code[None]))
        return output[0, 0]

    def loss(real_image: Tensor, fake_image: Tensor, code: Tensor) -> Tensor:
        difference = score(fake_image, code) - score(real_image, code)
        r1 = grad(score)(real_image, code).square().sum()
        r2 = grad(score)(fake_image, code).square().sum()
        result: Tensor = torch.log1p(torch.exp(difference)) + GAMMA / 2 * (r1 + r2)
        return result

    mean: Tensor = vmap(loss)(real, fake, codes).mean()
    return mean


def total(objective: Objective, update: Update, model: Model, inputs: Batch) -> Tensor:
    """The loss that an update minimizes."""
    forward = objective.forward(model, inputs)
    return torch.stack(list(objective.terms(update, model, inputs, forward).values())).sum()


def test_the_critics_gradient_is_that_of_the_formula(setup: Setup) -> None:
    objective, model, inputs = setup
    update = objective.updates()[0]
    forward = objective.forward(model, inputs)
    found = torch.stack(list(objective.terms(update, model, inputs, forward).values())).sum()
    found.backward()
    weights = {name: weight.detach() for name, weight in model.critic.named_parameters()}

    def loss(weights: Weights) -> Tensor:
        fake, codes = forward.images.detach(), forward.codes.critic
        return reference_loss(model.critic, weights, inputs.real, fake, codes)

    torch.testing.assert_close(found.detach(), loss(weights))
    expected = grad(loss)(weights)
    for name, parameter in model.critic.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.any() or name in CANCELLED
        torch.testing.assert_close(parameter.grad, expected[name])


@pytest.mark.parametrize("index", [0, 1], ids=["critic", "generator"])
def test_the_gradient_is_that_of_finite_differences(
    setup: Setup, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, model, inputs = setup
    update = objective.updates()[index]
    # The critic's codes are constants: no gradient passes through them, so they must not change.
    critic_codes = model.codes(inputs).critic
    codes = type(model).codes
    monkeypatch.setattr(
        model, "codes", lambda inputs: replace(codes(model, inputs), critic=critic_codes)
    )
    total(objective, update, model, inputs).backward()
    step = 1e-6
    for role in update.roles:
        for name, parameter in model.networks[role].named_parameters():
            assert parameter.grad is not None
            direction = torch.randn(parameter.shape, dtype=torch.float64)
            parameter.data += step * direction
            above = float(total(objective, update, model, inputs).detach())
            parameter.data -= 2 * step * direction
            below = float(total(objective, update, model, inputs).detach())
            parameter.data += step * direction
            slope = float((parameter.grad * direction).sum())
            assert slope == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-7), name

"""The networks by role, and their average worked out by hand."""

import copy

import pytest
import torch
from torch import Tensor

from genctl.model import EMA, Model
from tests.support.tiny import tiny


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_every_role_has_randomness_of_its_own() -> None:
    plain = Model(tiny("condition.kind=none"), 4)
    other_critic = Model(tiny("condition.kind=none", "networks.critic_hidden_dim=12"), 4)
    drawn, same = weights(plain.roles["generator"]), weights(other_critic.roles["generator"])
    assert all(torch.equal(drawn[name], same[name]) for name in drawn)
    other_seed = weights(Model(tiny("condition.kind=none", "training.seed=1"), 4))
    assert not torch.equal(drawn["first.weight"], other_seed["roles.generator.first.weight"])


def test_building_leaves_the_common_randomness_alone() -> None:
    state = torch.get_rng_state()
    Model(tiny(), 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_are_counted_by_role() -> None:
    counts = Model(tiny("condition.kind=none"), 4).parameter_counts()
    generator = 4 * 8 * 16 + 2 * 8 + 8 * 16
    critic = (8 * 16 + 8) + (8 * 16 * 8 + 8) + (8 + 1)
    assert counts == {"generator": generator, "critic": critic, "encoder": 0}


def test_a_frozen_role_costs_no_gradient_and_thaws() -> None:
    model = Model(tiny("condition.kind=none"), 4)
    images = torch.randn(2, 1, 8, 8, requires_grad=True)
    with model.frozen("critic"):
        score = model.critic(images, torch.empty(2, 0)).sum()
    score.backward()
    assert images.grad is not None
    assert all(parameter.grad is None for parameter in model.critic.parameters())
    assert all(parameter.requires_grad for parameter in model.critic.parameters())


@pytest.mark.parametrize("keep", [0.0, 0.25, 0.999, 1.0])
def test_the_average_is_that_of_a_hand_computation(keep: float) -> None:
    model = Model(tiny("condition.code_dim=4"), 4).train()
    average = EMA(model)
    expected = weights(average.model)
    for _ in range(5):
        # BatchNorm's means and counts move, and so do the weights.
        images = model.generate(torch.randn(8, 4), torch.randn(8, 4))
        model.encode(images.detach())
        for parameter in model.parameters():
            parameter.data += torch.randn_like(parameter)
        average.update(model, torch.tensor(1 - keep))
        for name, value in model.state_dict().items():
            if name not in expected:
                continue
            if value.is_floating_point():
                expected[name] = keep * expected[name] + (1 - keep) * value
            else:
                expected[name] = value.clone()
    found = average.model.state_dict()
    assert found.keys() == expected.keys()
    assert any(name.endswith("running_var") for name in found)
    assert any(name.endswith("num_batches_tracked") for name in found)
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_an_average_that_keeps_nothing_is_the_model_itself() -> None:
    model = Model(tiny("condition.code_dim=4"), 4)
    average = EMA(model)
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter)
    average.update(model, torch.tensor(1.0))
    current = model.state_dict()
    assert all(torch.equal(v, current[n]) for n, v in average.model.state_dict().items())


def test_the_average_holds_what_drawing_needs_and_does_not_learn() -> None:
    model = Model(tiny("condition.code_dim=4"), 4)
    average = EMA(model)
    assert set(average.model.roles) == {"generator", "encoder"}
    assert not average.model.training
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    before = weights(average.model)
    for parameter in model.parameters():
        parameter.data += 1
    assert all(torch.equal(v, before[n]) for n, v in average.model.state_dict().items())


def test_a_copy_draws_the_same() -> None:
    model = Model(tiny("condition.code_dim=4"), 4).eval()
    z, code = torch.randn(3, 4), torch.randn(3, 4)
    assert torch.equal(model.generate(z, code), copy.deepcopy(model).generate(z, code))

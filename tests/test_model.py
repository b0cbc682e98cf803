"""The networks by role, and their exponential moving average computed by hand."""

import copy

import pytest
import torch
from torch import Tensor

from genctl.config.build import build_model
from genctl.model import EMA
from tests.support.tiny import tiny

UNCONDITIONAL = "condition.kind=none"


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_initial_weights_of_a_role_depend_on_the_seed_and_on_its_own_settings_alone() -> None:
    generator = weights(build_model(tiny(UNCONDITIONAL), 4).networks["generator"])
    other_critic = build_model(tiny(UNCONDITIONAL, "networks.critic_hidden_dim=12"), 4)
    same = weights(other_critic.networks["generator"])
    assert all(torch.equal(generator[name], same[name]) for name in generator)
    other_seed = build_model(tiny(UNCONDITIONAL, "training.seed=1"), 4).networks["generator"]
    assert not torch.equal(generator["first.weight"], weights(other_seed)["first.weight"])


def test_building_a_model_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    build_model(tiny(), 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_parameters_are_counted_by_role() -> None:
    counts = build_model(tiny(UNCONDITIONAL), 4).parameter_counts()
    generator = 4 * 8 * 16 + 2 * 8 + 8 * 16
    classes = 4  # which the critic of `tiny` learns to tell apart
    critic = (8 * 16 + 8) + (8 * 16 * 8 + 8) + (8 + 1) * (1 + classes)
    assert counts == {"generator": generator, "critic": critic, "encoder": 0}


def test_a_frozen_role_has_no_gradients_inside_the_block_only() -> None:
    model = build_model(tiny(UNCONDITIONAL), 4)
    images = torch.randn(2, 1, 8, 8, requires_grad=True)
    with model.frozen("critic"):
        loss = model.critic(images, torch.empty(2, 0)).sum()
    loss.backward()
    assert images.grad is not None
    assert all(parameter.grad is None for parameter in model.critic.parameters())
    assert all(parameter.requires_grad for parameter in model.critic.parameters())


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.999, 1.0])
def test_the_ema_equals_a_computation_by_hand(decay: float) -> None:
    model = build_model(tiny("condition.code_dim=4"), 4).train()
    ema = EMA(model)
    expected = weights(ema.model)
    for _ in range(5):
        # This changes BatchNorm's statistics and counts.
        images = model.generate(torch.randn(8, 4), torch.randn(8, 4))
        model.encode(images.detach())
        for parameter in model.parameters():
            parameter.data += torch.randn_like(parameter)
        ema.update(model, torch.tensor(1 - decay))
        for name, value in model.state_dict().items():
            if name in expected and value.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * value
            elif name in expected:
                expected[name] = value.clone()
    found = ema.model.state_dict()
    assert found.keys() == expected.keys()
    assert any(name.endswith("running_var") for name in found)
    assert any(name.endswith("num_batches_tracked") for name in found)
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_the_ema_has_the_roles_for_inference_and_requires_no_gradients() -> None:
    model = build_model(tiny("condition.code_dim=4"), 4)
    ema = EMA(model)
    assert set(ema.model.networks) == {"generator", "encoder"}
    assert not ema.model.training
    assert not any(parameter.requires_grad for parameter in ema.model.parameters())
    before = weights(ema.model)
    for parameter in model.parameters():
        parameter.data += 1
    assert all(torch.equal(v, before[n]) for n, v in ema.model.state_dict().items())


def test_a_copy_of_a_model_generates_the_same_images() -> None:
    model = build_model(tiny("condition.code_dim=4"), 4).eval()
    z, code = torch.randn(3, 4), torch.randn(3, 4)
    assert torch.equal(model.generate(z, code), copy.deepcopy(model).generate(z, code))

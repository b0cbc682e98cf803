"""MeanFlow against float64 arithmetic written a second time, and flows that are known exactly.

Where data and noise are normal with mean m and deviation s, and mean 0 and deviation 1, every image
moves on its own line: x_t = (1 - t) m + d(t) e with d(t)² = (1 - t)² s² + t². So the average
velocity between two times is known.
"""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genctl.common.errors import ConfigError
from genctl.config.build import build_model
from genctl.data.batch import Batch
from genctl.model import Model
from genctl.objectives.base import Terms
from genctl.objectives.meanflow import Flow, MeanFlow
from tests.support.tiny import batch, tiny

MEAN, STD = 0.5, 0.3


def column(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class GaussianFlow(nn.Module):
    """The exact flow from N(0, 1) to N(MEAN, STD²)."""

    def deviation(self, t: Tensor) -> Tensor:
        return ((1 - t) ** 2 * STD**2 + t**2).sqrt()

    def at(self, time: Tensor, noise: Tensor) -> Tensor:
        return column((1 - time) * MEAN) + column(self.deviation(time)) * noise

    def velocity(self, x: Tensor, r: Tensor, t: Tensor, code: Tensor) -> Tensor:
        noise = (x - column((1 - t) * MEAN)) / column(self.deviation(t))
        speed = (t - (1 - t) * STD**2) / self.deviation(t)  # d' of t
        moment = column(speed) * noise - MEAN
        way = x - self.at(r, noise)
        return torch.where(column(t > r), way / column((t - r).clamp_min(1e-9)), moment)


EXACT = GaussianFlow().double()


class LinearFlow(nn.Module):
    """u = a x + b r + c t + d code, with derivatives that are obvious."""

    def velocity(self, x: Tensor, r: Tensor, t: Tensor, code: Tensor) -> Tensor:
        return 0.5 * x * x + column(0.7 * r) + column(t * t) + column(code.sum(1))


def small_batch(count: int = 8) -> Batch:
    torch.manual_seed(0)
    return batch(torch.rand(count, 1, 2, 2) * 2 - 1, torch.randn(count, 4))


def loss(objective: MeanFlow, network: nn.Module, inputs: Batch, code_dim: int = 0) -> Terms:
    """The terms of a model without an encoder, whose codes are ones."""
    condition = "none" if not code_dim else "label"
    settings = () if not code_dim else (f"condition.code_dim={code_dim}",)
    config = tiny(
        "objective.kind=meanflow", f"condition.kind={condition}", *settings, family="unet"
    )
    encoder: nn.Module = nn.Identity() if not code_dim else Ones(code_dim)
    model = Model(config.condition, {"generator": network, "encoder": encoder}, 4, "fp32")
    (update,) = objective.updates()
    return objective.terms(update, model, inputs, objective.forward(model, inputs))


class Ones(nn.Module):
    def __init__(self, code_dim: int) -> None:
        super().__init__()
        self.code_dim = code_dim

    def forward(self, labels: Tensor) -> Tensor:
        return torch.ones(len(labels), self.code_dim)


def test_the_loss_is_that_of_numpy() -> None:
    inputs, objective = (
        small_batch(),
        MeanFlow(form="split", interval_every=3, weight_power=0.5, weight_eps=0.2),
    )
    expected = numpy_loss(inputs, objective)
    assert loss(objective, LinearFlow(), inputs)["velocity"].item() == pytest.approx(expected)


def test_the_loss_of_the_improved_form_is_that_of_numpy() -> None:
    objective = MeanFlow(form="improved", interval_every=2, time_mean=0.3, time_std=0.6)
    inputs = small_batch()
    expected = numpy_loss(inputs, objective)
    assert loss(objective, LinearFlow(), inputs)["velocity"].item() == pytest.approx(expected)


def numpy_loss(inputs: Batch, objective: MeanFlow) -> float:
    """One image after the other in float64; derivatives as differences."""

    def u(x: np.ndarray, r: float, t: float) -> np.ndarray:
        velocity: np.ndarray = 0.5 * x * x + 0.7 * r + t * t
        return velocity

    losses = []
    for row, (image, e) in enumerate(zip(inputs.real, inputs.z, strict=True)):
        x0 = image.double().numpy().reshape(-1)
        noise = e.double().numpy()
        normal = inputs.noise.normal("times", 2)[row].double().numpy()
        r, t = sorted(1 / (1 + np.exp(-(objective.time_mean + objective.time_std * normal))))
        v, x = noise - x0, (1 - t) * x0 + t * noise
        if row % objective.interval_every:
            r, target = t, v
        elif objective.form == "split":
            share = float(inputs.noise.uniform("split")[row])
            s = (1 - share) * t + share * r
            second = u(x, s, t)
            first = u(x - (t - s) * second, r, s)
            target = (1 - share) * first + share * second
        else:
            step = 1e-5
            along = u(x, t, t)
            change = u(x + step * along, r, t + step) - u(x - step * along, r, t - step)
            target = v - (t - r) * change / (2 * step)
        squared = float(((u(x, r, t) - target) ** 2).mean())
        power = 1.0 if objective.weight_power is None else objective.weight_power
        losses.append(squared / (squared + objective.weight_eps) ** power)
    return float(np.mean(losses))


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_weight_is_a_constant(power: float) -> None:
    error = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2).requires_grad_()
    value = MeanFlow(weight_power=power, weight_eps=5.0).weighted_error(error)
    (gradient,) = torch.autograd.grad(value, error)
    weight = 1 / (12.5 + 5) ** power
    assert value.item() == pytest.approx(12.5 * weight)
    assert gradient.flatten().tolist() == pytest.approx([3 * weight, 4 * weight])


def test_targets_have_no_gradient() -> None:
    config = tiny("objective.kind=meanflow", "condition.kind=none", family="unet")
    model = build_model(config, 0)
    inputs = batch(torch.rand(8, 1, 8, 8), torch.randn(8, 64))
    flow = Flow(model.networks["generator"], torch.empty(8, 0))
    for form in ("split", "improved"):
        objective = MeanFlow(form=form)
        r, t = objective.times(inputs)
        target = objective.target(flow, inputs.real, r, t, inputs.real, inputs)
        assert not target.requires_grad


# -- guidance -------------------------------------------------------------------------------------


def test_guidance_moves_the_target_away_from_that_without_a_condition() -> None:
    objective, inputs = MeanFlow(guidance=3.0), small_batch()
    _, t = objective.times(inputs)
    x, v = inputs.real, torch.randn_like(inputs.real)
    dropped = torch.tensor([[False], [True]] * 4)
    flow = Flow(LinearFlow(), torch.ones(8, 2))
    guided = objective.guided(flow, x, t, v, dropped)
    unconditional = LinearFlow().velocity(x, t, t, torch.zeros(8, 2))
    torch.testing.assert_close(guided[::2], (3 * v - 2 * unconditional)[::2])
    assert torch.equal(guided[1::2], v[1::2])


def test_a_share_of_the_images_is_learned_without_its_condition() -> None:
    seen: list[Tensor] = []

    class Recording(LinearFlow):
        def velocity(self, x: Tensor, r: Tensor, t: Tensor, code: Tensor) -> Tensor:
            seen.append(code)
            return super().velocity(x, r, t, code)

    inputs = batch(torch.rand(4000, 1, 2, 2), torch.randn(4000, 4), classes=2)
    loss(MeanFlow(condition_dropout=0.25), Recording(), inputs, code_dim=3)
    zeros = (seen[-1] == 0).all(1)
    assert zeros.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert (seen[-1][~zeros] != 0).any(1).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("networks.kind=dcgan",), "networks.kind: objective.kind meanflow needs unet"),
        (("condition.kind=none", "objective.guidance=2"), "objective.guidance: needs a condition"),
        (("objective.guidance=2", "objective.condition_dropout=0"), "must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(settings: tuple[str, ...], message: str) -> None:
    family = "dcgan" if settings[0].endswith("dcgan") else "unet"
    with pytest.raises(ConfigError, match=message):
        tiny("objective.kind=meanflow", *settings, family=family)


# -- times ----------------------------------------------------------------------------------------


def test_times_are_sorted_and_equal_except_where_an_interval_is_learned() -> None:
    inputs = batch(torch.rand(20_000, 1, 2, 2), torch.randn(20_000, 4))
    r, t = MeanFlow(interval_every=4, time_mean=-0.4, time_std=1.0).times(inputs)
    interval = torch.arange(20_000) % 4 == 0
    assert torch.equal(r[~interval], t[~interval])
    assert bool((r[interval] < t[interval]).all())
    assert bool(((r > 0) & (t < 1)).all())
    both = torch.cat([r[interval], t[interval]]).logit()
    assert both.mean().item() == pytest.approx(-0.4, abs=0.03)
    assert both.std().item() == pytest.approx(1.0, abs=0.03)


# -- flows that are known -------------------------------------------------------------------------


def times() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    both = torch.rand(50, 2, dtype=torch.float64).sort(dim=1).values
    return both[:, 0], both[:, 1]


def test_the_exact_flow_is_where_both_forms_stand_still() -> None:
    r, t = times()
    noise = torch.randn(50, 1, 3, 3, dtype=torch.float64)
    flow = Flow(EXACT, torch.empty(50, 0))
    x = EXACT.at(t, noise)
    u = flow(x, r, t)
    share = torch.rand(50, dtype=torch.float64)
    torch.testing.assert_close(flow.split(x, r, t, share), u)
    # The improved form is one for the velocity that the network predicts.
    torch.testing.assert_close(flow.differentiated(x, r, t, flow(x, t, t)), u)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_exact_flow_ends_in_the_data_in_any_number_of_steps(steps: int) -> None:
    config = tiny("objective.kind=meanflow", "condition.kind=none", family="unet")
    generator = build_model(config, 0).networks["generator"]
    generator.velocity = EXACT.velocity  # type: ignore[assignment]
    z = torch.randn(5, 64, dtype=torch.float64)
    images = generator(z, torch.empty(5, 0), steps)
    torch.testing.assert_close(images.flatten(1), MEAN + STD * z)

"""Whether the critic knows the training pictures by heart."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genctl.config.config import Config
from genctl.data.base import Images
from genctl.model import Model
from genctl.training.overfitting import OverfittingProbe, overfitting_probe
from tests.support.tiny import tiny
from tests.training.builders import build_step, differing, positions


def grey(level: int, count: int = 40) -> Images:
    """Pictures of one colour."""
    pixels = torch.full((count, 1, 8, 8), level, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % 4, tuple("abcd"))


TRAINING, TEST = grey(255), grey(51)  # floats 1 and -0.6; what is generated here is -1


class Critic(nn.Module):
    def __init__(self, score: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.score = score

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        return self.score(images.mean(dim=(1, 2, 3)))[:, None]


class Black(nn.Module):
    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        return z.new_full((len(z), 1, 8, 8), -1.0)


def measured(score: Callable[[Tensor], Tensor]) -> float:
    config = tiny("condition.kind=none")
    networks = {"critic": Critic(score), "generator": Black(), "encoder": nn.Identity()}
    model = Model(config.condition, networks, 4, "fp32")
    return OverfittingProbe(config, TRAINING, TEST, "fp32").measure(model)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (lambda level: level, 0.8),  # (1 - -0.6) / (1 - -1)
        (lambda level: (level > 0).float(), 1.0),  # only training pictures are real
        (lambda level: (level > -0.8).float(), 0.0),  # all pictures are real
        (lambda level: -level, math.nan),  # it prefers generated images
        (lambda level: 0 * level, math.nan),
    ],
)
def test_test_images_lie_between_training_and_generated_ones(
    score: Callable[[Tensor], Tensor], expected: float
) -> None:
    assert measured(score) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("condition", ["none", "label", "image"])
def test_measuring_leaves_no_trace(condition: str) -> None:
    config = tiny(f"condition.kind={condition}", "networks.critic_normalization=spectral")
    step, other = build_step(config), build_step(config)
    probe = OverfittingProbe(config, step.batches.images, TEST, "fp32")
    for position in positions(step, 0, 4):
        for each in (step, other):
            each.compute(each.variant(position), each.inputs(position))
        measured, again = (probe.measure(step.state.model) for _ in range(2))
        assert measured == pytest.approx(again, abs=0, nan_ok=True)
    assert step.state.model.training
    assert differing(step.state.tensors(), other.state.tensors()) == []


def probe_of(config: Config) -> OverfittingProbe:
    found = overfitting_probe(config, TRAINING, TEST, "fp32")
    assert found is not None
    return found


def test_it_is_told_once_and_not_by_chance() -> None:
    probe = probe_of(tiny())
    told = [bool(probe.warning(value)) for value in (0.6, 0.4, math.nan, 0.6, 0.7, 0.8, 0.1, 1, 1)]
    assert told == [False] * 4 + [True] + [False] * 4


def test_the_advice_is_something_that_is_not_done_yet() -> None:
    for strength, advice in (("0", "strength: adaptive"), ("auto", "a smaller critic")):
        probe = probe_of(tiny(f"objective.augment.strength={strength}"))
        probe.warning(0.9)
        assert advice in probe.warning(0.9)


def test_it_needs_a_critic_few_pictures_and_some_to_test_on() -> None:
    assert overfitting_probe(tiny("objective.kind=vae"), TRAINING, TEST, "fp32") is None
    assert overfitting_probe(tiny(), grey(0, 10_000), TEST, "fp32") is None
    assert overfitting_probe(tiny(), TRAINING, grey(0, 31), "fp32") is None

"""States and steps of small models."""

from torch import Tensor

from genctl.common.registry import kinds
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.objectives.adversarial import Adversarial
from genctl.training.state import State
from genctl.training.step import Position, Step
from tests.support.tiny import images

CONDITIONS = {
    "none": ("condition.kind=none",),
    "label": ("condition.kind=label", "condition.code_dim=4"),
    "image": ("condition.code_dim=4",),
    "instance": ("condition.code_dim=4", "condition.pairing=instance"),
}
"""Settings of each condition."""

FAMILIES = {"meanflow": "unet"}
"""The family of networks that an objective needs; the others train with `dcgan`."""


AUGMENT = ("objective.augment.ramp_images=1000", "objective.augment.target=0.1")
"""A strength of augmentation that moves in every step, from 0.5 on."""
CRITICS = [name for name, kind in kinds("objectives").items() if issubclass(kind, Adversarial)]
"""Objectives with a critic."""


def build_state(config: Config, augment: bool = False) -> State:
    """The state of a new run on ``images()``, with the critic's augmentation or without."""
    model = build_model(config, num_classes=4)
    model.train()
    device = next(model.parameters()).device
    started = config.objective.augment_state(len(images()), device) if augment else None
    if started is not None:
        started.strength.fill_(0.5)
    return State(config.optimizer, model, started)


def build_step(config: Config, precision: str = "fp32", augment: bool = False) -> Step:
    """The step of a new run on ``images()``."""
    return Step(config, build_state(config, augment), images(), precision)


def positions(step: Step, first: int, last: int, steps: int = 50) -> list[Position]:
    """The positions from step ``first`` to ``last`` of a run of ``steps`` steps."""
    return [Position(number, number * step.images, number / steps) for number in range(first, last)]


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """The names of all tensors that are not equal to the bit."""
    assert one.keys() == other.keys()
    return [name for name, tensor in one.items() if not tensor.equal(other[name])]

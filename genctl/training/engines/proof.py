"""Whether an engine computes what the eager engine computes, tried out on the run itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genctl.training.engines.base import Engine
from genctl.training.engines.eager import Eager
from genctl.training.engines.recorded import WARMUP_STEPS
from genctl.training.step import Position, Step

STEPS_PER_VARIANT = WARMUP_STEPS + 3  # the last three are replayed
MAX_SEARCH = 1000  # steps among which each variant of a step is looked for
TOLERANCE = 1e-3  # of the weights' change, where eager steps repeat exactly
CHANCE = 4  # times the difference between two runs of the eager engine, where they do not


def difference_from_eager(engine: Engine, position: Position) -> str:
    """Take some steps with an engine and eagerly, and compare what became of the weights.

    Every variant of a step is taken often enough to be recorded and replayed. Afterwards the state
    is what it was. Eager steps are taken twice: where they differ from each other, as sums of
    floats in varying order do, the engine may differ from them as much.

    Args:
        engine: the engine to check.
        position: of the next step.

    Returns:
        What differs, or nothing.

    Raises:
        CannotRecord: as the engine does.
    """
    step = engine.step
    positions = _positions(step, position)
    before = _copy(step.state.tensors())

    def taken_by(engine: Engine) -> dict[str, Tensor]:
        with step.state.undone():
            for each in positions:
                engine.run(each)
            return _copy(step.state.tensors())

    results = [taken_by(each) for each in (engine, Eager(step), Eager(step))]
    ours, eager, again = ({k: t - before[k] for k, t in result.items()} for result in results)
    for prefix in (*(f"model.networks.{role}." for role in step.state.optimizers), "ema."):
        difference = _relative_difference(ours, eager, prefix)
        chance = _relative_difference(again, eager, prefix)
        if not difference <= max(TOLERANCE, CHANCE * chance):  # NaN differs
            return (
                f"its steps change {prefix}* otherwise than eager steps, by {difference:.1%} "
                "of the change"
            )
    return ""


def _positions(step: Step, start: Position) -> list[Position]:
    """Positions from ``start`` on, as many of each variant as are needed, in order."""
    found: dict[str, list[Position]] = {}
    for position in step.positions(start, MAX_SEARCH):
        same = found.setdefault(step.variant(position), [])
        if len(same) < STEPS_PER_VARIANT:
            same.append(position)
    return sorted((each for same in found.values() for each in same), key=lambda each: each.step)


def _relative_difference(ours: dict[str, Tensor], theirs: dict[str, Tensor], prefix: str) -> float:
    """The norm of the difference, relative to the norm of ``theirs``."""

    def norm(value: Callable[[str], Tensor]) -> Tensor:
        names = [n for n, t in theirs.items() if n.startswith(prefix) and t.is_floating_point()]
        return torch.stack([value(name).float().square().sum() for name in names]).sum().sqrt()

    change = norm(lambda name: theirs[name])
    difference = norm(lambda name: ours[name] - theirs[name])
    return float(difference / change.clamp_min(torch.finfo(torch.float32).tiny))


def _copy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}

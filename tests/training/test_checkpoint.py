"""A checkpoint holds the whole state, and one that does not fit changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import BadContent, Diverged
from genctl.model import Model
from genctl.training.engines.eager import Eager
from genctl.training.state import State
from genctl.training.step import Position, Step
from tests.support.tiny import images, tiny


def state(*overrides: str, steps: int = 0) -> State:
    """The state of a small run after a few steps."""
    config = tiny("condition.code_dim=4", *overrides)
    made = State(config, Model(config, 4))
    engine = Eager(Step(config, made, images(), "fp32"))
    for step in range(steps):
        terms = engine.take(Position(step, 8 * step, 0.0))
        made.meter.add(terms.names, terms.values)
        made.step, made.images = step + 1, 8 * (step + 1)
    return made


def content(of: State) -> dict[str, Tensor]:
    found = of.learned() | {f"meter.{name}": value for name, value in of.meter.state()[0].items()}
    return {name: value.clone() for name, value in found.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "000000024.safetensors"


def test_everything_comes_back(path: Path) -> None:
    trained, fresh = state(steps=3), state("training.seed=1")
    trained.save(path, {"seconds": 1.5, "precision": "fp32"})
    metadata = fresh.load(path)
    assert_same(content(fresh), content(trained))
    assert (fresh.step, fresh.images) == (3, 24)
    assert fresh.meter.counts == trained.meter.counts
    assert fresh.standing == trained.standing
    assert (metadata["seconds"], metadata["precision"]) == (1.5, "fp32")


def test_a_state_that_is_not_finite_is_not_written(path: Path) -> None:
    for spoil in ("model", "optimizer.critic", "ema"):
        broken = state(steps=1)
        tensor = next(v for n, v in broken.learned().items() if n.startswith(f"{spoil}."))
        tensor.data.flatten()[0] = torch.nan
        with pytest.raises(Diverged, match=rf"diverged: {spoil}\."):
            broken.save(path, {})
    assert not path.exists()


def forge(path: Path, change: Any) -> None:
    """Change a checkpoint and give it a right digest again."""
    values, metadata, _ = tensors.read(path, "checkpoint")
    change(values, metadata)
    tensors.write(path, values, metadata)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda v, f: v.pop("optimizer.critic.0.mean"), "optimizer.critic.0.mean is missing"),
        (lambda v, f: v.pop("model.roles.generator.first.weight"), "first.weight is missing"),
        (lambda v, f: v.pop("average.roles.generator.first.weight"), "is missing"),
        (lambda v, f: v.update(other=torch.zeros(1)), "other is unknown"),
        (lambda v, f: v.update({"optimizer.critic.0.mean": torch.zeros(1)}), "has shape"),
        (lambda v, f: v.update({"optimizer.critic.0.step": torch.tensor(1)}), "is torch.int64"),
        (lambda v, f: v.pop("meter.critic/real"), "how far the run was"),
        (lambda v, f: f.pop("step"), "how far the run was"),
        (lambda v, f: f.pop("meter"), "how far the run was"),
        (lambda v, f: f.update(kind="model"), "holds a model, not a checkpoint"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    change: Any, why: str, path: Path
) -> None:
    state(steps=2).save(path, {})
    forge(path, change)
    fresh = state()
    before = content(fresh)
    with pytest.raises(BadContent, match=why):
        fresh.load(path)
    assert_same(content(fresh), before)
    assert fresh.step == 0


def test_a_checkpoint_of_other_networks_is_refused(path: Path) -> None:
    state(steps=1).save(path, {})
    with pytest.raises(BadContent, match="has shape"):
        state("networks.critic_hidden_dim=12").load(path)

"""A checkpoint holds the whole state; one that does not fit is refused and changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import BadContent, Diverged
from genctl.common.registry import kinds
from genctl.config.config import Config
from genctl.training.checkpoint import load_checkpoint, save_checkpoint
from genctl.training.early_stopping import EarlyStopping
from genctl.training.engines.eager import Eager
from genctl.training.state import State
from genctl.training.step import Step
from tests.support.tiny import images, tiny
from tests.training.builders import AUGMENT, FAMILIES, build_state, differing, positions

Content = dict[str, Tensor]
Metadata = dict[str, Any]


def trained_state(*overrides: str, steps: int = 2, augment: bool = False) -> State:
    """The state of a small run after a few steps."""
    config = tiny("condition.code_dim=4", *overrides)
    state = build_state(config, augment)
    step = Step(config, state, images(), "fp32")
    for position in positions(step, 0, steps):
        losses = Eager(step).run(position)
        state.losses.add(losses.names, losses.values)
        state.step, state.images = position.step + 1, position.images + step.images
    return state


def save(state: State, path: Path) -> None:
    save_checkpoint(state, path, seconds=1.5, precision="fp32")


def copied(state: State) -> Content:
    return {name: value.clone() for name, value in state.tensors().items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "000000024.safetensors"


def test_everything_is_restored(path: Path) -> None:
    trained, fresh = trained_state(steps=3), trained_state("training.seed=1", steps=0)
    trained.early_stopping = EarlyStopping(0.5, 16)
    save(trained, path)
    metadata = load_checkpoint(fresh, path)
    assert differing(fresh.tensors(), trained.tensors()) == []
    assert (fresh.step, fresh.images) == (3, 24)
    assert fresh.losses.state() == trained.losses.state()
    assert fresh.early_stopping == trained.early_stopping
    assert (metadata.seconds, metadata.precision) == (1.5, "fp32")


@pytest.mark.parametrize("objective", kinds("objectives"))
def test_every_objective_goes_on_with_the_same_bits(objective: str, path: Path) -> None:
    family = FAMILIES.get(objective, "dcgan")
    config = tiny(f"objective.kind={objective}", "condition.code_dim=4", family=family)
    parts = build_state(config), build_state(config)
    save(take_steps(config, parts[0], 0, 3), path)
    load_checkpoint(parts[1], path)
    take_steps(config, parts[1], 3, 6)
    whole = take_steps(config, build_state(config), 0, 6)
    assert differing(parts[1].tensors(), whole.tensors()) == []


def take_steps(config: Config, state: State, first: int, last: int) -> State:
    step = Step(config, state, images(), "fp32")
    for position in positions(step, first, last):
        Eager(step).run(position)
    return state


def test_the_augmentation_goes_on_where_it_was(path: Path) -> None:
    straight = trained_state(*AUGMENT, steps=12, augment=True)
    half = trained_state(*AUGMENT, steps=6, augment=True)
    save(half, path)
    resumed = trained_state(*AUGMENT, "training.seed=1", steps=0, augment=True)
    load_checkpoint(resumed, path)
    assert float(resumed.tensors()["augment.strength"]) != 0.5
    step = Step(tiny("condition.code_dim=4", *AUGMENT), resumed, images(), "fp32")
    for position in positions(step, 6, 12):
        Eager(step).run(position)
    assert differing(resumed.tensors(), straight.tensors()) == []


def test_a_checkpoint_from_before_there_was_augmentation_starts_with_none(path: Path) -> None:
    save(trained_state(), path)
    fresh = trained_state(*AUGMENT, steps=0, augment=True)
    load_checkpoint(fresh, path)
    assert fresh.step == 2
    assert float(fresh.tensors()["augment.strength"]) == 0.5  # as at the start of this one


@pytest.mark.parametrize("part", ["model", "ema", "optimizer.critic"])
def test_a_state_with_nan_is_not_written(part: str, path: Path) -> None:
    state = trained_state(steps=1)
    tensor = next(v for name, v in state.tensors().items() if name.startswith(f"{part}."))
    tensor.data.flatten()[0] = torch.nan
    with pytest.raises(Diverged, match=rf"diverged: {part}\."):
        save(state, path)
    assert not path.exists()


WEIGHT = "networks.generator.first.weight"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c, m: c.pop("optimizer.critic.0.exp_avg"), "critic.0.exp_avg is missing"),
        (lambda c, m: c.pop(f"model.{WEIGHT}"), "first.weight is missing"),
        (lambda c, m: c.pop(f"ema.{WEIGHT}"), "first.weight is missing"),
        (lambda c, m: c.update(other=torch.zeros(1)), "other is unknown"),
        (lambda c, m: c.update({"optimizer.critic.0.exp_avg": torch.zeros(1)}), "has shape"),
        (lambda c, m: c.update({"optimizer.critic.0.step": torch.tensor(1)}), "is torch.int64"),
        (lambda c, m: c.pop("losses.critic/real"), "how far the run was"),
        (lambda c, m: m.pop("step"), "how far the run was"),
        (lambda c, m: m.pop("loss_counts"), "how far the run was"),
        (lambda c, m: m.pop("early_stopping"), "how far the run was"),
        (lambda c, m: m.update(kind="model"), "a model, not a checkpoint"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    change: Callable[[Content, Metadata], object], reason: str, path: Path
) -> None:
    save(trained_state(), path)
    content, metadata, _ = tensors.read(path, "checkpoint")
    change(content, metadata)
    tensors.write(path, content, metadata)  # with a digest that fits
    fresh = trained_state(steps=0)
    before = copied(fresh)
    with pytest.raises(BadContent, match=reason):
        load_checkpoint(fresh, path)
    assert differing(fresh.tensors(), before) == []
    assert (fresh.step, fresh.images, fresh.losses.names) == (0, 0, [])


def test_a_checkpoint_of_other_networks_is_refused(path: Path) -> None:
    save(trained_state(), path)
    with pytest.raises(BadContent, match="has shape"):
        load_checkpoint(trained_state("networks.critic_hidden_dim=12", steps=0), path)

"""Every game with every condition takes its steps, and the loop counts them rightly."""

from pathlib import Path
from typing import Any

import pytest
import torch
from genctl.training.services import Budget, Surroundings
from torch import Tensor

from genctl.common.registry import kinds
from genctl.config.config import Config
from genctl.config.training import TrainingSettings
from genctl.model import Model
from genctl.runs.run import Run
from genctl.training.state import State
from genctl.training.trainer import Trainer
from tests.support.tiny import images, tiny

OBJECTIVES = tuple(kinds("objectives"))
CONDITIONS = {
    "none": ("condition.kind=none",),
    "label": ("condition.kind=label", "condition.code_dim=4"),
    "image": ("condition.code_dim=4",),
    "instance": ("condition.code_dim=4", "condition.pairing=instance"),
}


class Silent:
    """Takes curves and news, and keeps the news."""

    def __init__(self) -> None:
        self.news: list[str] = []

    def write(self, images_seen: int, scalars: dict[str, float]) -> None: ...
    def show(self, images_seen: int, grid: Tensor) -> None: ...
    def progress(self, trainer: Trainer, budget: Budget) -> None: ...

    def info(self, text: str) -> None:
        self.news.append(text)

    warn = say


def trainer(config: Config, folder: Path) -> Trainer:
    data = images()
    state = State(config, Model(config, 4))
    run = Run(folder / "run")
    run.create()
    run.config.write_text("")
    silent: Any = Silent()
    around = Surroundings("fp32", SignalFlags(), silent, None, silent)
    return Trainer(config, state, data, data, run, around)


def assert_trains(config: Config, folder: Path) -> None:
    playing = trainer(config, folder)
    model = playing.state.model
    before = {name: value.clone() for name, value in model.named_parameters() if value.numel()}
    averaged = [value.clone() for value in playing.averaged.parameters()]
    for step in range(3):
        playing.step(step / 3)
    playing.state.require_finite()
    weights = dict(model.named_parameters())
    still = {name for name, value in before.items() if torch.equal(weights[name], value)}
    assert still <= ALLOWED_STILL
    assert not any(map(torch.equal, averaged, playing.averaged.parameters()))
    assert playing.state.step == 3
    assert playing.state.images == 3 * playing.images_per_step
    prefixes = {name.split("/")[0] for name in playing.state.meter.means()}
    assert prefixes == {turn.name for turn in config.objective.turns()}


# A critic that compares two images of one condition feels no constant added to both.
ALLOWED_STILL = {"roles.critic.head.head.bias", "roles.critic.body.last.bias"}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_with_every_condition(
    objective: str, condition: str, tmp_path: Path
) -> None:
    assert_trains(tiny(f"objective.kind={objective}", *CONDITIONS[condition]), tmp_path)


@pytest.mark.parametrize("objective", ["r3gan", "vae", "wgan_gp"])
@pytest.mark.parametrize("condition", ["none", "image"])
def test_the_residual_family_trains_too(objective: str, condition: str, tmp_path: Path) -> None:
    tanh = ("networks.tanh=true",) if objective == "vae" else ()
    overrides = (f"objective.kind={objective}", *CONDITIONS[condition], *tanh)
    assert_trains(tiny(*overrides, family="resnet"), tmp_path)


@pytest.mark.parametrize(
    "setting",
    [
        "networks.conditional_batchnorm=true",
        "networks.critic_normalization=spectral",
        "networks.encoder=pooled",
    ],
)
def test_every_kind_of_layer_trains(setting: str, tmp_path: Path) -> None:
    assert_trains(tiny(*CONDITIONS["image"], setting), tmp_path)


# -- counting -------------------------------------------------------------------------------------


def test_a_repeated_turn_sees_new_images_each_time(tmp_path: Path) -> None:
    playing = trainer(tiny("objective.kind=wgan_gp", *CONDITIONS["none"]), tmp_path)
    played: list[tuple[str, bytes]] = []
    step = playing.engine.step
    play = step._play

    def noted(turn: Any, batch: Any, rates: Any) -> Any:
        played.append((turn.name, batch.noise.numpy().tobytes()))
        return play(turn, batch, rates)

    step._play = noted  # type: ignore[method-assign]
    playing.step(0.0)
    playing.step(0.1)
    names = [name for name, _ in played]
    assert names == (["critic"] * 5 + ["generator"]) * 2
    assert len({noise for name, noise in played if name == "critic"}) == 10
    assert playing.state.images == 2 * 5 * 8


@pytest.mark.parametrize(
    ("half_life", "warmup", "seen", "keeps"),
    [
        (80, 0.0, 8, 0.5 ** (8 / 80)),
        (80, 0.0, 10**6, 0.5 ** (8 / 80)),
        (80, 0.05, 800, 0.5 ** (8 / 40)),  # a twentieth of 800 images
        (80, 0.05, 10**6, 0.5 ** (8 / 80)),
        (0, 0.05, 800, 0.0),
    ],
)
def test_what_the_average_keeps(half_life: float, warmup: float, seen: int, keeps: float) -> None:
    settings = TrainingSettings(ema_half_life=half_life, ema_rampup=warmup)
    assert settings.new_share(seen, 8) == pytest.approx(1 - keeps)


def test_multiples_are_passed_once_each(tmp_path: Path) -> None:
    playing = trainer(tiny(*CONDITIONS["none"]), tmp_path)
    passed = []
    for seen in range(8, 81, 8):
        playing.state.images = seen
        if playing.passed(20):
            passed.append(seen)
        assert not playing.passed(0)
    assert passed == [24, 40, 64, 80]


@pytest.mark.parametrize(
    ("images_seen", "elapsed", "share"),
    [(0, 0, 0), (50, 0, 0.5), (200, 0, 1), (10, 4, 0.5), (10, 8, 1), (60, 4, 0.6)],
)
def test_progress_is_by_images_or_by_time_whichever_is_further(
    images_seen: int, elapsed: float, share: float
) -> None:
    assert Budget(100, 10, reserve=2).progress(images_seen, elapsed) == pytest.approx(share)


def test_a_resumed_part_knows_what_was_logged_last(tmp_path: Path) -> None:
    config = tiny(*CONDITIONS["none"])
    run = trainer(config, tmp_path).run
    run.log({"images": 8, "terms": {"critic/real": 1.0}})
    run.log({"images": 8, "scores": {"fid": 2.0}})
    run.log({"images": 16, "terms": {"critic/real": 3.0}})
    again = trainer(config, tmp_path)
    assert again.latest == {"critic/real": 3.0}
    assert (again.scores, again.measured_at) == ({"fid": 2.0}, 8)


# -- learning -------------------------------------------------------------------------------------


def played(config: Config, steps: int, folder: Path) -> list[dict[str, float]]:
    """Mean terms of each tenth of a training."""
    data, held_out = config.data.load("train"), config.data.load("test")
    state, silent, run = State(config, Model(config, 10)), Silent(), Run(folder / "run")
    run.create()
    taken: Any = silent
    playing = Trainer(
        config, state, data, held_out, run, Surroundings("fp32", SignalFlags(), taken, None, taken)
    )
    means = []
    for step in range(steps):
        playing.step(step / steps)
        if (step + 1) % (steps // 10) == 0:
            means.append(state.meter.means())
    return means


def test_a_vae_learns_to_rebuild(tmp_path: Path) -> None:
    config = tiny("objective.kind=vae", *CONDITIONS["none"], "training.batch_size=32")
    means = played(config, 100, tmp_path)
    first, last = (part["autoencoder/reconstruction"] for part in (means[0], means[-1]))
    assert last < 0.75 * first


def test_the_encoder_learns_the_classes(tmp_path: Path) -> None:
    means = played(tiny(*CONDITIONS["image"], "training.batch_size=32"), 200, tmp_path)
    name = next(name for name in means[0] if name.endswith("cross_entropy"))
    assert means[-1][name] < 0.75 * means[0][name]


@pytest.mark.slow
@pytest.mark.parametrize("objective", [kind for kind in OBJECTIVES if kind != "vae"])
def test_a_game_stays_balanced(objective: str, tmp_path: Path) -> None:
    means = played(tiny(f"objective.kind={objective}", *CONDITIONS["image"]), 400, tmp_path)
    assert all(abs(value) < 20 for value in means[-1].values())
    name = next(name for name in means[0] if name.endswith("cross_entropy"))
    assert means[-1][name] < 0.7 * means[0][name]

"""Every objective trains with every condition, and the loop counts, logs and stops correctly."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from genctl.common.errors import Diverged, Interrupted
from genctl.common.registry import kinds
from genctl.common.signals import SignalFlags
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.config.training import TrainingSettings
from genctl.model import Model
from genctl.runs import model_file
from genctl.runs.run import Run
from genctl.training.budget import Budget
from genctl.training.checkpoint import resume
from genctl.training.outputs import RunOutputs
from genctl.training.state import State
from genctl.training.trainer import Trainer, TrainingServices
from tests.support.recorder import Recorder
from tests.support.tiny import images, tiny
from tests.training.builders import CONDITIONS, FAMILIES, build_state, positions

OBJECTIVES = tuple(kinds("objectives"))


def build_trainer(config: Config) -> Trainer:
    """A trainer that writes nothing."""
    services = TrainingServices("fp32", Recorder())
    return Trainer(config, build_state(config), images(), services)


def require_training(config: Config) -> None:
    """Every network changes in three steps, and so does its EMA."""
    trainer = build_trainer(config)
    state = trainer.state
    before = {name: value.clone() for name, value in state.model.named_parameters()}
    ema_before = [value.clone() for value in state.ema.model.parameters()]
    for step in range(3):
        trainer.take_step(step / 3)
    state.require_finite()
    unchanged = {
        name
        for name, value in state.model.named_parameters()
        if value.numel() and torch.equal(before[name], value)
    }
    assert unchanged <= MAY_STAY
    assert not any(map(torch.equal, ema_before, state.ema.model.parameters()))
    assert (state.step, state.images) == (3, 3 * trainer.images_per_step)
    updates = {name.split("/")[0] for name in state.losses.pop()}
    assert updates == {update.name for update in config.objective.updates()}


# A relativistic critic compares two scores, so that a constant added to both has no gradient.
MAY_STAY = {"networks.critic.head.head.bias", "networks.critic.body.last.bias"}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_with_every_condition(objective: str, condition: str) -> None:
    family = FAMILIES.get(objective, "dcgan")
    require_training(tiny(f"objective.kind={objective}", *CONDITIONS[condition], family=family))


@pytest.mark.parametrize("objective", ["r3gan", "vae", "wgan_gp"])
@pytest.mark.parametrize("condition", ["none", "image"])
def test_resnet_trains(objective: str, condition: str) -> None:
    tanh = ("networks.tanh=true",) if objective == "vae" else ()
    overrides = (f"objective.kind={objective}", *CONDITIONS[condition], *tanh)
    require_training(tiny(*overrides, family="resnet"))


@pytest.mark.parametrize("objective", ["relativistic", "adversarial_flow", "wgan_gp"])
@pytest.mark.parametrize("condition", ["none", "image"])
def test_unet_trains(objective: str, condition: str) -> None:
    config = tiny(f"objective.kind={objective}", *CONDITIONS[condition], family="unet")
    require_training(config)


@pytest.mark.parametrize("condition", ["label", "image"])
@pytest.mark.parametrize(
    "setting", ["objective.form=improved", "objective.guidance=2", "objective.weight_power=0"]
)
def test_every_form_of_meanflow_trains(setting: str, condition: str) -> None:
    settings = ("objective.kind=meanflow", setting, *CONDITIONS[condition])
    require_training(tiny(*settings, family="unet"))


@pytest.mark.parametrize(
    "setting",
    [
        "networks.conditional_batchnorm=true",
        "networks.critic_normalization=spectral",
        "networks.encoder=pooled",
    ],
)
def test_every_kind_of_layer_trains(setting: str) -> None:
    require_training(tiny(*CONDITIONS["image"], setting))


# -- counting -------------------------------------------------------------------------------------


def test_a_repeated_update_has_its_own_batch_each_time() -> None:
    trainer = build_trainer(tiny("objective.kind=wgan_gp", *CONDITIONS["none"]))
    trainer.take_step(0.0)
    trainer.take_step(0.1)
    counts = trainer.state.losses.counts
    assert (counts["critic/wasserstein"], counts["generator/fake"]) == (2 * 5, 2)
    assert trainer.state.images == 2 * 5 * 8
    step = trainer.engine.step
    inputs = [step.inputs(position) for position in positions(step, 0, 2)]
    z = [noise.normal("noise", 4) for each in inputs for noise in each.noise]
    assert len(torch.stack(z).flatten(1).unique(dim=0)) == 10


@pytest.mark.parametrize(
    ("half_life", "rampup", "images_seen", "kept"),
    [
        (80, 0.0, 8, 0.5 ** (8 / 80)),
        (80, 0.0, 10**6, 0.5 ** (8 / 80)),
        (80, 0.05, 800, 0.5 ** (8 / 40)),  # a twentieth of 800 images
        (80, 0.05, 10**6, 0.5 ** (8 / 80)),
        (0, 0.05, 800, 0.0),
    ],
)
def test_the_half_life_of_the_ema(
    half_life: float, rampup: float, images_seen: int, kept: float
) -> None:
    settings = TrainingSettings(ema_half_life=half_life, ema_rampup=rampup)
    assert settings.ema_weight(images_seen, 8) == pytest.approx(1 - kept)


def test_something_is_due_once_for_every_multiple() -> None:
    trainer = build_trainer(tiny(*CONDITIONS["none"]))
    due = []
    for images_seen in range(8, 81, 8):
        trainer.state.images = images_seen
        if trainer.is_due(20):
            due.append(images_seen)
        assert not trainer.is_due(0)
    assert due == [24, 40, 64, 80]


@pytest.mark.parametrize(
    ("images_seen", "elapsed", "share"),
    [(0, 0, 0), (50, 0, 0.5), (200, 0, 1), (10, 4, 0.5), (10, 8, 1), (60, 4, 0.6)],
)
def test_progress_is_that_of_images_or_time_whichever_is_further(
    images_seen: int, elapsed: float, share: float
) -> None:
    assert Budget(100, 10, reserve=2).progress(images_seen, elapsed) == pytest.approx(share)


# -- the loop -------------------------------------------------------------------------------------


class Loop:
    """A trainer whose clock counts steps: each takes a second."""

    def __init__(self, folder: Path, *overrides: str, fids: Sequence[float] = ()) -> None:
        logging = ("training.log_every=16", "training.checkpoint_every=1000")
        config = tiny(*CONDITIONS["none"], *logging, *overrides)
        self.run, self.state, self.reporter = Run(folder), build_state(config), Recorder()
        self.run.create()
        self.run.config.touch()  # the sign of a run
        self.signals, self.fids = SignalFlags(), iter(fids)
        data = images()
        self.outputs = RunOutputs(config, self.state, data, data, self.run, "fp32", self.elapsed)
        score = self.score if fids else None
        services = TrainingServices(
            "fp32", self.reporter, outputs=self.outputs, score=score, signals=self.signals
        )
        self.trainer = Trainer(config, self.state, data, services)

    def elapsed(self) -> float:
        return float(self.state.step)

    def score(self, model: Model) -> dict[str, float]:
        assert not model.training
        return {"fid": next(self.fids)}

    def train(self, budget: Budget) -> str:
        return self.trainer.train(budget)

    def checkpoints(self) -> list[int]:
        return [int(path.stem) for path in reversed(self.run.checkpoint_paths())]


def test_a_run_ends_after_its_images(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    assert loop.train(Budget(40)) == "images"
    assert (loop.state.images, loop.checkpoints()) == (40, [40])
    assert [record["images"] for record in loop.run.read_metrics()] == [16, 32]
    assert loop.reporter.shares == {"training": 0.8}
    assert loop.run.model.exists()


def test_a_run_ends_when_its_time_is_spent(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    assert loop.train(Budget(1000, seconds=5, reserve=1)) == "time"
    assert (loop.state.step, loop.checkpoints()) == (4, [32])


def test_a_run_ends_when_it_has_converged(tmp_path: Path) -> None:
    scored = ("evaluation.every=16", "training.patience=32")
    loop = Loop(tmp_path, *scored, fids=[3.0, 2.0, 2.5, 2.1])
    assert loop.train(Budget(1000)) == "patience"
    assert (loop.state.images, loop.checkpoints()) == (64, [64])
    model = model_file.read(loop.run.model, torch.device("cpu"))
    assert model.metadata.images == 32  # the best


def test_a_run_that_had_converged_before_it_was_killed_does_not_continue(tmp_path: Path) -> None:
    scored = ("evaluation.every=16", "training.patience=16")
    first = Loop(tmp_path, *scored, fids=[2.0, 2.1])
    first.train(Budget(1000))
    second = Loop(tmp_path, *scored, fids=[1.0])
    resume(second.state, second.run, second.reporter.warn)
    assert second.train(Budget(1000)) == "patience"
    assert second.state.images == first.state.images == 32


def test_a_collapse_is_reported(tmp_path: Path) -> None:
    loop = Loop(tmp_path, "evaluation.every=16", fids=[2.0, 30.0])
    loop.train(Budget(32))
    (warning,) = loop.reporter.warnings
    assert "collapsed at 32 images: the score is far worse than at 16" in warning


def test_a_signal_stops_the_run_after_the_step_with_a_checkpoint(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.signals.stop = signal.SIGTERM
    with pytest.raises(Interrupted, match="checkpoint at 8 images") as interrupted:
        loop.train(Budget(1000))
    assert interrupted.value.exit_code == 143
    assert loop.checkpoints() == [8]
    assert loop.run.model.exists()


def test_a_signal_for_a_checkpoint_writes_one_and_training_continues(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.signals.checkpoint = True
    loop.train(Budget(40))
    assert loop.checkpoints() == [8, 40]
    assert not loop.signals.checkpoint


def test_a_loss_that_is_not_finite_ends_the_run_without_a_checkpoint(tmp_path: Path) -> None:
    loop = Loop(tmp_path, "optimizer.learning_rate=1e30")
    with pytest.raises(Diverged, match="became infinite or NaN"):
        loop.train(Budget(1000))
    assert loop.checkpoints() == []


def test_a_resumed_run_remembers_the_last_metrics(tmp_path: Path) -> None:
    first = Loop(tmp_path, "evaluation.every=16", fids=[2.0])
    first.train(Budget(16))
    first.state.images = 24
    first.outputs.write_losses({"critic/real": 1.0})
    outputs = Loop(tmp_path).outputs
    assert outputs.losses == {"critic/real": 1.0}
    assert (outputs.scores, outputs.scored_at) == ({"fid": 2.0}, 16)


# -- learning -------------------------------------------------------------------------------------


def mean_losses(config: Config, steps: int) -> list[dict[str, float]]:
    """The mean losses of each tenth of a training on digits."""
    data = config.data.load("train")
    model = build_model(config, len(data.classes))
    state = State(config.optimizer, model)
    trainer = Trainer(config, state, data, TrainingServices("fp32", Recorder()))
    means = []
    for step in range(steps):
        trainer.take_step(step / steps)
        if (step + 1) % (steps // 10) == 0:
            means.append(state.losses.pop())
    return means


def test_a_vae_learns_to_reconstruct() -> None:
    config = tiny("objective.kind=vae", *CONDITIONS["none"], "training.batch_size=32")
    means = mean_losses(config, 100)
    first, last = (part["autoencoder/reconstruction"] for part in (means[0], means[-1]))
    assert last < 0.75 * first


def test_the_encoder_learns_the_classes() -> None:
    means = mean_losses(tiny(*CONDITIONS["image"], "training.batch_size=32"), 200)
    name = "generator/cross_entropy"
    assert means[-1][name] < 0.75 * means[0][name]


@pytest.mark.slow
@pytest.mark.parametrize("objective", [kind for kind in OBJECTIVES if kind != "vae"])
def test_adversarial_training_is_stable(objective: str) -> None:
    means = mean_losses(tiny(f"objective.kind={objective}", *CONDITIONS["image"]), 400)
    assert all(abs(value) < 20 for value in means[-1].values())
    name = next(name for name in means[0] if name.endswith("cross_entropy"))
    assert means[-1][name] < 0.7 * means[0][name]

"""genctl bench: alternatives are timed fairly, and compute the same."""

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genctl.benchmark import bench as bench_module
from genctl.benchmark import images as images_module
from genctl.benchmark import startup
from genctl.benchmark.compare import compare
from genctl.benchmark.genctl_loop import GenctlLoop
from genctl.benchmark.image_dataset import ImageDataset, endless_batches
from genctl.benchmark.plain_loop import PlainLoop
from genctl.config import config as configs
from genctl.config.config import Config
from genctl.data.batch import Batch
from genctl.training.batches import Batches
from tests.conftest import RunGenctl
from tests.support.recorder import Recorder
from tests.support.tiny import images, tiny

CPU = torch.device("cpu")


class Clock:
    """A clock that only the measured work moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.calls: list[str] = []
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def work(self, name: str, seconds: Callable[[], float]) -> Callable[[], int]:
        """Work that processes 10 images in ``seconds``."""

        def work() -> int:
            self.now += seconds()
            self.calls.append(name)
            return 10

        return work


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_alternatives_are_timed_in_turn(clock: Clock) -> None:
    work = {"fast": clock.work("fast", lambda: 0.5), "slow": clock.work("slow", lambda: 2.0)}
    comparison = compare(work, CPU, seconds=24.0, rounds=3)
    assert (comparison.rate("fast"), comparison.rate("slow")) == (20.0, 5.0)
    assert comparison.speedup("fast", "slow") == 4.0
    turns = [(name, len(list(calls))) for name, calls in itertools.groupby(clock.calls)]
    # 4 seconds each; the order of one round is reversed in the next.
    assert turns[-4:] == [("fast", 8), ("slow", 4), ("fast", 16), ("slow", 2)]


def test_a_machine_that_slows_down_does_not_change_the_speedup(clock: Clock) -> None:
    work = {"fast": clock.work("fast", lambda: 0.5 * 1.01 ** (clock.now // 8)),
            "slow": clock.work("slow", lambda: 1.0 * 1.01 ** (clock.now // 8))}  # fmt: skip
    speedup = compare(work, CPU, seconds=80.0, rounds=5).speedup("fast", "slow")
    assert speedup == pytest.approx(2, rel=0.03)


def test_only_whole_cycles_are_timed(clock: Clock) -> None:
    compare({"one": clock.work("one", lambda: 0.3)}, CPU, seconds=10.0, rounds=2, cycle=8)
    assert len(clock.calls) % 8 == 0


class PlainLoopOn(PlainLoop):
    """The plain loop, with the batches of genctl."""

    def __init__(self, config: Config, batches: Batches) -> None:
        super().__init__(config, batches.images, CPU, workers=0)
        self.batches = (batches.batch(number) for number in itertools.count())

    def batch(self) -> Batch:
        """The next batch."""
        return replace(next(self.batches), variant=self.config.objective.variant(self.steps))


@pytest.mark.parametrize(
    "overrides",
    [("condition.kind=none", "objective.kind=nonsaturating", "objective.r1_interval=2"),
     ("objective.kind=relativistic", "objective.r1_interval=2"),
     ("objective.kind=wgan_gp", "objective.critic_steps=2"),
     ("objective.kind=vae",)],
)  # fmt: skip
def test_the_plain_loop_learns_what_genctl_learns(
    overrides: tuple[str, ...], tmp_path: Path
) -> None:
    # A large eps: Adam amplifies gradients that are zero up to rounding.
    config = tiny(*overrides, "optimizer.betas=[0.5, 0.9]", "optimizer.eps=1e-3")
    genctl = GenctlLoop(config, images(), CPU, "fp32", Recorder())
    plain = PlainLoopOn(config, genctl.trainer.engine.step.batches)
    for _ in range(3):
        assert plain.step() == genctl.step()
    weights = genctl.trainer.state.model.state_dict()
    for name, tensor in plain.model.state_dict().items():
        torch.testing.assert_close(tensor, weights[name], rtol=1e-3, atol=1e-5)


def test_the_dataset_yields_the_real_images() -> None:
    data = images(count=20, classes=4)
    dataset = ImageDataset(data, tiny("condition.kind=none").condition)
    for index in (0, 7, 19):
        real, condition_image, label = dataset[index]
        assert torch.allclose(real, data.floats(slice(index, index + 1)), atol=1e-6)
        assert torch.equal(real[0], condition_image)
        assert label == index % 4


@pytest.mark.parametrize("shared", [1, 4])
def test_the_encoder_sees_another_image_of_the_class(shared: int) -> None:
    data = images(count=20, classes=4)
    data.pixels[:] = data.labels[:, None, None, None].byte() * 60
    augment = "condition.augment={degrees: 0, translate: 0, scale: 0}"
    dataset = ImageDataset(data, tiny(augment, f"condition.images_per_code={shared}").condition)
    batches = endless_batches(dataset, 8, workers=0)
    for real, condition_images, labels in itertools.islice(batches, 6):
        assert torch.equal(real, condition_images.repeat_interleave(shared, dim=0))
        assert torch.equal(real[:, 0, 0, 0], labels * 60 / 127.5 - 1)


def test_bench_measures_training_sampling_and_start_up(
    genctl: RunGenctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_module, "NUM_SAMPLES", 100)
    monkeypatch.setattr(images_module, "NUM_RANDOM_IMAGES", 200)
    monkeypatch.setattr(bench_module, "NUM_STARTS", 1)
    monkeypatch.setattr(startup, "IMPORT_TORCH", ["-c", "pass"])
    monkeypatch.setenv("GENCTL_DATA", str(tmp_path / "empty"))
    small = {"one.yaml": tiny(), "two.yaml": tiny("data.kind=mnist", "condition.kind=none")}
    for name, config in small.items():
        (tmp_path / name).write_text(configs.dump(config))
    done = genctl("bench", "--config", "one.yaml", "--config", "two.yaml", "--seconds", 0.1,
                  "--device", "cpu", "--json")  # fmt: skip
    assert done.code == 0, done.err
    found = done.json
    assert [entry["data"] for entry in found["training"]] == ["digits", "random images"]
    assert {entry["engine"] for entry in found["training"]} == {"eager"}
    assert {entry["threads"] for entry in found["training"]} == {1}, "as OMP_NUM_THREADS says"
    for entry in found["training"] + found["sampling"]:
        assert entry["config"] in small
        assert entry["images_per_second"].keys() == {"genctl", "plain"}
        assert min(entry["images_per_second"].values()) > 0
    assert found["start_up"].keys() == {"--help", "configs check", "sample --n 64"}
    assert "plain loop" in done.err
    assert not (tmp_path / "empty").exists()

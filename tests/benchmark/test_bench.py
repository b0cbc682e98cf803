"""genctl bench: rivals meet on the same terms, and compute the same."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from genctl.benchmark.own import OwnLoop
from genctl.benchmark.pictures import Pictures, endless
from torch.nn.functional import conv2d

from genctl.benchmark import bench as benching
from genctl.benchmark import hardware, startup
from genctl.benchmark.compare import race
from genctl.benchmark.plain import PlainLoop
from genctl.config import config as configs
from genctl.training.batches import Batches
from tests.conftest import Run
from tests.support.tiny import images, tiny

CPU = torch.device("cpu")


class Clock:
    """Time that passes only where work says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def work(self, seconds: Callable[[], float], log: list[str], name: str) -> Callable[[], int]:
        """A rival that gives 10 images after some seconds."""

        def work() -> int:
            self.now += seconds()
            log.append(name)
            return 10

        return work


def test_rates_are_images_over_seconds_and_rivals_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, log = Clock(monkeypatch), list[str]()
    rivals = {"quick": clock.work(lambda: 0.5, log, "quick"),
              "slow": clock.work(lambda: 2.0, log, "slow")}  # fmt: skip
    rates = race(rivals, CPU, seconds=24.0, rounds=3)
    assert (rates.rate("quick"), rates.rate("slow")) == (20.0, 5.0)
    assert rates.ratio("quick", "slow") == 4.0
    laps = [(name, len(list(group))) for name, group in itertools.groupby(log)]
    # 4 seconds for each lap; whoever was last in a round is the first in the next.
    assert laps[-4:] == [("quick", 8), ("slow", 4), ("quick", 16), ("slow", 2)]


def test_a_machine_that_grows_slower_does_not_change_the_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, log = Clock(monkeypatch), list[str]()
    rivals = {"quick": clock.work(lambda: 0.5 * 1.01 ** (clock.now // 8), log, "quick"),
              "slow": clock.work(lambda: 1.0 * 1.01 ** (clock.now // 8), log, "slow")}  # fmt: skip
    assert race(rivals, CPU, seconds=80.0, rounds=5).ratio("quick", "slow") == pytest.approx(
        2, 0.03
    )


def test_a_lap_is_a_whole_number_of_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(monkeypatch), list[str]()
    race({"one": clock.work(lambda: 0.3, log, "one")}, CPU, seconds=10.0, rounds=2, cycle=8)
    assert len(log) % 8 == 0


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
    # A large eps, since Adam makes much of gradients that are zero but for rounding.
    config = tiny(*overrides, "optimizer.betas=[0.5, 0.9]", "optimizer.eps=1e-3")
    plain = PlainLoop(config, images(), CPU, workers=0)
    own = OwnLoop(config, images(), CPU, "fp32", tmp_path)
    feed(plain, own.trainer.engine.step.batches)
    for _ in range(3):
        assert plain.step() == own.step()
    learned = own.trainer.state.model.state_dict()
    for name, tensor in plain.model.state_dict().items():
        torch.testing.assert_close(tensor, learned[name], rtol=1e-3, atol=1e-5)


def feed(plain: PlainLoop, batches: Batches) -> None:
    """Let the plain loop play with the batches that genctl draws."""
    numbers = itertools.count()

    def batch() -> object:
        number = next(numbers)
        return batches.batch(number, plain.config.objective.variant(plain.steps))

    plain.batch = batch  # type: ignore[assignment, method-assign]


def test_the_plain_pictures_are_those_of_the_data_set() -> None:
    data = images(count=20, classes=4)
    shown = Pictures(data, tiny("condition.kind=none").condition)
    for index in (0, 7, 19):
        real, same, label = shown[index]
        assert torch.allclose(real, data.floats(slice(index, index + 1))[0], atol=1e-6)
        assert (real is same, label) == (True, index % 4)


def test_the_plain_loop_shows_another_picture_of_the_class() -> None:
    data = images(count=20, classes=4)
    data.pixels[:] = data.labels[:, None, None, None].byte() * 60
    still = (
        "condition.augment.translate=0",
        "condition.augment.scale=0",
        "condition.augment.degrees=0",
    )
    pictures = Pictures(data, tiny(*still).condition)
    for real, shown, labels in itertools.islice(endless(pictures, 8, workers=0), 6):
        assert torch.equal(real, shown)
        assert torch.equal(real[:, 0, 0, 0], labels * 60 / 127.5 - 1)


def test_flops_are_those_counted_by_hand() -> None:
    x = torch.zeros(8, 3, 16, 16, requires_grad=True)
    weight = torch.zeros(5, 3, 4, 4, requires_grad=True)
    forward = 2 * 8 * (5 * 8 * 8) * (3 * 4 * 4)  # a product and a sum for each weight at each place
    assert hardware.flops(lambda: conv2d(x, weight, stride=2, padding=1)) == forward
    # Backward goes to the images and to the weights.
    trained = hardware.flops(lambda: conv2d(x, weight, stride=2, padding=1).sum().backward())
    assert trained == 3 * forward


def test_the_peak_is_the_best_product(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, takes = Clock(monkeypatch), iter([0.75, 0.25, 0.5])

    def product(left: torch.Tensor, right: torch.Tensor) -> None:
        assert left.dtype == right.dtype == torch.bfloat16
        clock.now += next(takes)

    monkeypatch.setattr(torch, "mm", product)
    assert hardware.matrix_peak("bf16", CPU) == 2 * 2048**3 / 0.25


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "DRAWN", 100)
    monkeypatch.setattr(benching, "STAND_INS", 200)
    monkeypatch.setattr(benching, "REPEATS", 1)
    monkeypatch.setattr(startup, "IMPORT_TORCH", ["-c", "pass"])
    monkeypatch.setattr(benching, "matrix_peak", lambda precision, device: 1e9)


@pytest.mark.usefixtures("_hasty")
def test_bench_says_how_fast_everything_is(
    genctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_DATA", str(tmp_path / "empty"))
    small = (tiny(), tiny("data.kind=mnist", "condition.kind=none"))
    for name, config in zip(("one.yaml", "two.yaml"), small, strict=True):
        (tmp_path / name).write_text(configs.dump(config))
    done = genctl("bench", "--config", "one.yaml", "--config", "two.yaml", "--seconds", 0.1,
                  "--device", "cpu", "--json")  # fmt: skip
    assert done.code == 0, done.err
    found = done.json
    assert [entry["data"] for entry in found["training"]] == ["digits", "random images"]
    for entry in found["training"]:
        assert entry["images_per_second"].keys() == {"genctl", "plain", "eager_fp32"}
        assert min(entry["images_per_second"].values()) > 0
        expected = entry["flops_per_image"] * entry["images_per_second"]["genctl"] / 1e9
        assert entry["share_of_peak"] == pytest.approx(expected)
    assert [entry["images"] for entry in found["sampling"]] == [100, 100]
    assert found["start_up"].keys() == {"--help", "configs check", "sample --n 64"}
    assert "plain loop" in done.err
    assert not (tmp_path / "empty").exists()

"""genctl sweep as its users run it: real runs, real scores, kills, and what is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.data.digits import Digits
from genctl.evaluation.judge_cache import load_judge
from tests.conftest import REPOSITORY, Completed, RunGenctl, run_genctl
from tests.support.processes import SETTINGS, require_same
from tests.support.quick_judges import quick_judges
from tests.support.recorder import Recorder

SMALL = [word for setting in SETTINGS if not setting.startswith("training.images")
         for word in ("--set", setting)]  # fmt: skip
OPTIONS = ["--config", "tiny", "--images", "480", "--n", "60", "--sampling-seeds", "1", *SMALL,
           "--set", "optimizer.schedule=linear"]  # fmt: skip
RATES = "optimizer.learning_rate"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge of digits for other processes, trained in seconds."""
    folder = tmp_path_factory.mktemp("cache")
    digits = Digits(image_size=8)
    with quick_judges(folder, 4_000):
        load_judge(digits.load("train"), digits.load("test"), torch.device("cpu"), Recorder())
    return folder


def sweep(folder: Path, cache: Path, *words: str) -> Completed:
    folder.mkdir(exist_ok=True)
    return run_genctl("sweep", *OPTIONS, *words, cwd=folder, GENCTL_CACHE=str(cache))


def kill_after(folder: Path, cache: Path, seconds: float, *words: str) -> None:
    """Start a sweep, and kill it after some time."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "genctl", "sweep", *OPTIONS, *words], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "GENCTL_CACHE": str(cache)},
    )  # fmt: skip
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def without_times(points: Any) -> Any:
    """Points without what depends on the clock."""
    for point in points:
        del point["images_per_second"]
        for run in point["runs"]:
            del run["seconds"], run["images_per_second"]
    return points


def test_two_settings_give_two_rows_and_a_second_sweep_only_reads_them(
    cache: Path, tmp_path: Path
) -> None:
    words = ("--set", f"{RATES}=1e-3,1e-4", "--jobs", "2")
    first = sweep(tmp_path, cache, *words)
    assert first.code == 0, first.err
    assert "2 of 2: " in first.err
    header, real, *rows = [line.split() for line in first.out.splitlines()]
    assert header[:5] == ["learning_rate", "images", "images/s", "overall", "fid"]
    assert real[:2] == ["real", "images"]
    assert {row[0] for row in rows} == {"1e-3", "1e-4"}
    assert [float(row[3]) for row in rows] == sorted(float(row[3]) for row in rows)
    evaluations = [json.loads(p.read_text()) for p in tmp_path.glob("runs/*/evaluation.json")]
    assert {row[4] for row in rows} == {f"{one['scores']['fid']:.4f}" for one in evaluations}
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/**/*.*")}
    again = sweep(tmp_path, tmp_path / "no judge here", *words)
    assert (again.code, again.out) == (0, first.out)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/**/*.*")} == written
    listed = run_genctl("runs", "--json", cwd=tmp_path).json["runs"]
    assert [run["status"] for run in listed] == ["complete"] * 2


@pytest.mark.slow
def test_what_halving_leaves_has_the_bits_of_runs_trained_straight(
    cache: Path, tmp_path: Path
) -> None:
    """Killed several times, too. Each run has the bits of one that was told to stop there."""
    words = ("--set", f"{RATES}=1e-3,3e-4,1e-4,3e-3", "--halving", "--reduction", "2")
    alone = sweep(tmp_path / "alone", cache, *words, "--json")
    assert alone.code == 0, alone.err
    chance = random.Random(0)
    for _ in range(5):
        kill_after(tmp_path / "killed", cache, chance.uniform(2, 12), *words)
    killed = sweep(tmp_path / "killed", cache, *words, "--json")
    assert killed.code == 0, killed.err
    points = without_times(killed.json["points"])
    assert points == without_times(alone.json["points"])
    assert sorted(point["images"] for point in points) == [128, 128, 240, 480]
    (tmp_path / "straight").mkdir()
    for point in points:
        (run,) = point["runs"]
        changes = [f"{key}={value}" for key, value in run["settings"].items()]
        sets = [word for change in changes for word in ("--set", change)]
        pause = [] if run["status"] == "complete" else ["--pause-at", int(point["images"])]
        straight = run_genctl(
            "train", "--config", "tiny", "--name", Path(run["run"]).name, "--set",
            "training.images=480", *sets, *pause, cwd=tmp_path / "straight",
        )  # fmt: skip
        assert straight.code == 0, straight.err
        for folder in ("alone", "killed"):
            require_same(tmp_path / folder / run["run"], tmp_path / "straight" / run["run"])


REFUSED: list[tuple[list[str], str]] = [
    (["--set", f"{RATES}=-1,1e-3"], f"--set {RATES}=-1"),
    (["--set", "optimizer.learning_rat=1,2"], "did you mean"),
    (["--search", f"{RATES}=-1..1"], f"--set {RATES}=-1"),
    (["--search", "objective.kind=hinge,no"], "--set objective.kind=no"),
    (["--search", f"{RATES}=1..2", "--set", f"{RATES}=1"], "leave out one of them"),
    (["--search", f"{RATES}=1..2", "--set", "objective.gamma=1,2"], "use --search objective.gamma"),
    (["--search", f"{RATES}=1..2", "--config", "digits_gan"], "one --config"),
    (["--search", "training.seed=1..9"], "use --seeds"),
    (["--trials", "3"], "there is no --search"),
    (["--storage", "a"], "there is no --search"),
    (["--max-time", "9", "--images", "9"], "choose one"),
    (["--csv", "--json"], "choose one"),
    (["--halving", "--max-time", "9", "--set", f"{RATES}=1,2,3"], "replace --max-time"),
    (["--halving", "--set", f"{RATES}=1,2"], "too few"),
    (["--halving", "--set", "training.images=64,640,6400"], "the same budget"),
    (["--jobs", "0"], "--jobs"),
    (["--sampler", "tpee"], "did you mean"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[" ".join(one) for one, _ in REFUSED])
def test_what_cannot_be_swept_is_refused_before_anything_is_trained(
    words: list[str], message: str, genctl: RunGenctl, tmp_path: Path
) -> None:
    done = genctl("sweep", "--config", "tiny", *words)
    assert done.code == 2
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_lists_the_runs_and_writes_nothing(genctl: RunGenctl, tmp_path: Path) -> None:
    words = ("--set", f"{RATES}=1e-3,1e-4,1e-2", "--seeds", "2", "--halving", "--dry-run")
    done = genctl("sweep", "--config", "tiny", *words)
    assert (done.code, len(done.out.splitlines())) == (0, 6)
    assert "rounds end after 2,133, 6,400 images" in done.err
    content = genctl("sweep", "--config", "tiny", *words, "--json").json
    assert (content["points"], content["seeds"], content["rounds"]) == (3, [0, 1], [2133, 6400])
    assert [run["seed"] for run in content["runs"]] == [0, 0, 0, 1, 1, 1]
    searched = genctl("sweep", "--config", "tiny", "--search", f"{RATES}=1e-3..1e-1", "--dry-run")
    assert (searched.code, searched.err) == (0, "20 points with 1 seeds\n")
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_a_search_says_what_to_install(
    genctl: RunGenctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for name in [name for name in sys.modules if name.startswith(("optuna.", "genctl.sweeps.s"))]:
        monkeypatch.delitem(sys.modules, name)
    done = genctl("sweep", "--config", "tiny", "--search", f"{RATES}=1e-3..1e-1")
    assert done.code == 66
    assert "pip install 'genctl[sweep]'" in done.err

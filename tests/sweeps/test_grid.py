"""Sweeps over grids: exit codes, kills, several processes, halving. Training is a stand-in."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.fake_genctl import DIVERGES
from tests.support.sweeps import (
    RATES,
    calls,
    finish,
    kill_sweep,
    plan_codes,
    require_scored_once,
    require_trained_once,
    start_sweep,
    sweep,
    table,
    trained,
)

GRID = ("--set", f"{RATES}=1e-4,1e-3,3e-3,1e-2", "--seeds", "2")
HALVING = ("--set", f"{RATES}=1e-4,3e-4,1e-3,2e-3,3e-3,4e-3,1e-2,2e-2", "--halving",
           "--reduction", "2", "--seeds", "2", "--set", "training.batch_size=10")  # fmt: skip


def test_each_point_and_seed_is_trained_and_scored_once(tmp_path: Path) -> None:
    done = sweep(tmp_path, *GRID, "--json")
    assert done.code == 0, done.err
    assert [row["settings"][RATES] for row in done.json["points"]] == [
        "3e-3", "1e-3", "1e-2", "1e-4"
    ]  # fmt: skip
    best = done.json["best"]
    assert best["scores"]["fid"] == pytest.approx(0.122879 + 0.005)
    assert best["scores"]["overall"] == pytest.approx(best["scores"]["fid"] + 0.1)
    assert len(trained(tmp_path)) == 8 * 10
    require_trained_once(tmp_path)
    again = sweep(tmp_path, *GRID, "--json")
    assert (again.code, again.json) == (0, done.json)
    assert len(calls(tmp_path)) == 16


def test_the_first_seed_of_all_points_comes_first(tmp_path: Path) -> None:
    runs = [run["run"] for run in sweep(tmp_path, *GRID, "--dry-run", "--json").json["runs"]]
    assert sweep(tmp_path, *GRID).code == 0
    assert list(dict.fromkeys(step.split()[0] for step in trained(tmp_path))) == runs
    seeds = sweep(tmp_path, *GRID, "--dry-run").out.splitlines()
    assert [line.rpartition(" ")[2] for line in seeds] == ["0"] * 4 + ["1"] * 4


@pytest.mark.parametrize("words", [GRID, HALVING], ids=["grid", "halving"])
@pytest.mark.parametrize("jobs", ["1", pytest.param("3", marks=pytest.mark.slow)])
def test_a_sweep_that_was_killed_again_and_again_has_the_table_of_one_left_alone(
    words: tuple[str, ...], jobs: str, tmp_path: Path
) -> None:
    options = (*words, "--csv", "--jobs", jobs)
    alone = sweep(tmp_path / "alone", *options)
    assert alone.code == 0, alone.err
    events = len(trained(tmp_path / "alone")) + len(calls(tmp_path / "alone"))
    moments = sorted(random.Random(f"{words} {jobs}").sample(range(events - 5), 6))
    kills = [kill_sweep(tmp_path / "killed", moment, *options) for moment in moments]
    assert all(kills)
    killed = sweep(tmp_path / "killed", *options)
    assert table(killed) == table(alone)
    assert sorted(trained(tmp_path / "killed")) == sorted(trained(tmp_path / "alone"))
    require_trained_once(tmp_path / "killed")


def test_the_commands_of_a_killed_sweep_end(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("commands of a killed sweep end by themselves on Linux only")
    assert kill_sweep(tmp_path, 5, *GRID, "--images", "100000")
    time.sleep(0.5)
    steps = trained(tmp_path)
    time.sleep(0.5)
    assert trained(tmp_path) == steps


@pytest.mark.parametrize("words", [GRID, HALVING], ids=["grid", "halving"])
def test_several_processes_share_a_sweep(words: tuple[str, ...], tmp_path: Path) -> None:
    alone = sweep(tmp_path / "alone", *words, "--csv")
    processes = [start_sweep(tmp_path / "shared", *words, "--csv") for _ in range(3)]
    done = [finish(process) for process in processes]
    assert [one.code for one in done] == [0, 0, 0], [one.err for one in done]
    assert [table(one) for one in done] == [table(alone)] * 3
    assert sorted(trained(tmp_path / "shared")) == sorted(trained(tmp_path / "alone"))
    require_trained_once(tmp_path / "shared")
    require_scored_once(tmp_path / "shared")


# -- successive halving ---------------------------------------------------------------------------


def test_the_best_half_of_each_round_goes_on(tmp_path: Path) -> None:
    done = sweep(tmp_path, *HALVING, "--json")
    assert done.code == 0, done.err
    reached = {row["settings"][RATES]: row["images"] for row in done.json["points"]}
    ranking = ["3e-3", "4e-3", "2e-3", "1e-3", "1e-2", "2e-2", "3e-4", "1e-4"]
    images = [100, 50, 30, 30, 20, 20, 20, 20]  # rounds end at 100, 50, 25, 12: after whole steps
    assert reached == dict(zip(ranking, images, strict=True))
    require_trained_once(tmp_path)
    assert len(trained(tmp_path)) == 2 * sum(images) // 10


def test_time_cannot_be_halved(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--set", f"{RATES}=1e-3,1e-2,1e-1", "--halving", "--max-time", "5",
                 "--json")  # fmt: skip
    assert done.code == done.json["exit_code"] == 2


def test_runs_of_other_budgets_are_other_runs(tmp_path: Path) -> None:
    """A larger budget would extend a run whose schedule has ended."""
    assert sweep(tmp_path, "--images", "50").code == 0
    assert sweep(tmp_path, "--images", "100").code == 0
    runs = {step.split()[0] for step in trained(tmp_path)}
    assert len(runs) == 2
    assert len(trained(tmp_path)) == 15


# -- exit codes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [69, 74, 75, 129, 130, 137, 143])
def test_a_command_that_may_succeed_later_is_tried_again(code: int, tmp_path: Path) -> None:
    plan_codes(tmp_path, code)
    done = sweep(tmp_path, "--json")
    assert (done.code, done.json["status"]) == (0, "complete")
    assert [call.split()[0] for call in calls(tmp_path)] == ["train", "train", "evaluate"]


def test_a_run_that_never_succeeds_is_left_to_the_next_sweep(tmp_path: Path) -> None:
    plan_codes(tmp_path, 75, 75, 75)
    done = sweep(tmp_path, "--json", "--set", f"{RATES}=1e-3,1e-2")
    assert done.code == done.json["exit_code"] == 75
    assert [row["status"] for row in done.json["points"]] == ["complete", "unfinished"]
    assert "run the same command again" in done.json["error"]
    again = sweep(tmp_path, "--json", "--set", f"{RATES}=1e-3,1e-2")
    assert (again.code, again.json["status"]) == (0, "complete")


@pytest.mark.parametrize("code", [1, 2, 65, 66, 71, 73])
def test_a_failure_is_recorded_and_the_sweep_goes_on(code: int, tmp_path: Path) -> None:
    plan_codes(tmp_path, code)
    done = sweep(tmp_path, "--json", "--set", f"{RATES}=1e-3,1e-2")
    assert done.code == done.json["exit_code"] == code
    assert [row["status"] for row in done.json["points"]] == ["complete", "failed"]
    assert f"failed: planned exit code {code}" in done.err
    assert len(calls(tmp_path)) == 3


def test_a_sweep_ends_if_all_would_fail_alike(tmp_path: Path) -> None:
    plan_codes(tmp_path, *[66] * 8)
    done = sweep(tmp_path, *GRID, "--json")
    assert (done.code, len(calls(tmp_path))) == (66, 3)


def test_a_diverged_run_is_recorded_and_not_tried_again(tmp_path: Path) -> None:
    words = ("--set", f"{RATES}=1e-3,{DIVERGES}")
    done = sweep(tmp_path, *words, "--json")
    assert (done.code, done.json["status"]) == (0, "complete")
    assert [row["status"] for row in done.json["points"]] == ["complete", "diverged"]
    steps = trained(tmp_path)
    assert sweep(tmp_path, *words, "--json").json == done.json
    assert (trained(tmp_path), len(calls(tmp_path))) == (steps, 3)


def test_a_sweep_whose_runs_all_diverge_has_diverged(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--set", f"{RATES}={DIVERGES},0.9", "--json")
    assert done.code == done.json["exit_code"] == 3


def test_a_diverged_point_is_not_trained_further(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--set", f"{RATES}=1e-4,3e-3,{DIVERGES}", "--halving", "--json")
    assert done.code == 0, done.err
    assert [row["status"] for row in done.json["points"]] == ["complete", "paused", "diverged"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_ends_its_commands_and_says_so(
    number: signal.Signals, tmp_path: Path
) -> None:
    plan_codes(tmp_path, "hang")
    process = start_sweep(tmp_path, "--json")
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    done = finish(process)
    assert done.code == done.json["exit_code"] == 128 + number
    assert "run the same command again to continue" in done.err
    assert not (tmp_path / "overslept").exists()


def test_runs_at_a_time_share_the_cores_unless_threads_are_chosen(tmp_path: Path) -> None:
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    sweep(tmp_path / "shared", "--jobs", "2")
    assert calls(tmp_path / "shared")[0] == f"train {max((cores or 1) // 2, 1)}"
    sweep(tmp_path / "alone")
    assert calls(tmp_path / "alone")[0] == "train None"  # it measures what is best
    sweep(tmp_path / "chosen", "--jobs", "2", "--threads", "3")
    assert calls(tmp_path / "chosen")[0] == "train 3"
    sweep(tmp_path / "inherited", "--jobs", "2", OMP_NUM_THREADS="5")
    assert calls(tmp_path / "inherited")[0] == "train 5"


def test_a_damaged_record_is_measured_again(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--json")
    (path,) = tmp_path.glob("runs/*/sweep/*.json")
    for content in ("", "[]", '{"scoring": [null, 3], "record": {"seed": "x"}}', "\xff"):
        path.write_text(content, encoding="latin-1")
        assert sweep(tmp_path, "--json").json == done.json
        assert json.loads(path.read_text())["record"]["status"] == "complete"
    assert len(trained(tmp_path)) == 10


def test_another_number_of_samples_measures_again_without_training(tmp_path: Path) -> None:
    assert sweep(tmp_path).code == sweep(tmp_path, "--n", "50").code == 0
    assert [call.split()[0] for call in calls(tmp_path)] == ["train", "evaluate", "evaluate"]


def test_no_process_is_left(tmp_path: Path) -> None:
    assert sweep(tmp_path, *GRID, "--jobs", "4").code == 0
    found = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False)
    assert found.stdout == b""

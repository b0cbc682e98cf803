"""Searches by Optuna: several processes, kills, storages, halving. Training is a stand-in."""

import json
import random
from pathlib import Path
from typing import Any

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

pytest.importorskip("optuna", reason="needs Optuna: install genctl[sweep]")

SLOW = pytest.mark.slow
SEARCH = ("--search", f"{RATES}=1e-4..1e-1", "--trials", "9")
HALVING = (*SEARCH, "--halving", "--reduction", "3", "--set", "training.batch_size=10")


def rates(done: Any) -> list[float]:
    """The learning rates of all trials."""
    return sorted(float(row["settings"][RATES]) for row in done.json["points"])


@pytest.mark.parametrize(
    "sampler", ["tpe", *(pytest.param(name, marks=SLOW) for name in ("random", "qmc", "gp"))]
)
def test_a_search_finds_a_good_point(sampler: str, tmp_path: Path) -> None:
    words = (*SEARCH, "--trials", "16", "--sampler", sampler, "--json")
    done = sweep(tmp_path, *words[2:], *SEARCH[:2])
    assert done.code == 0, done.err
    found = rates(done)
    assert len(set(found)) == len(found) == 16
    assert 1e-4 <= found[0] < 1e-3 < 1e-2 < found[-1] <= 1e-1
    assert 1e-3 < float(done.json["best"]["settings"][RATES]) < 1e-2
    require_trained_once(tmp_path)


@SLOW
def test_a_sampler_learns(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--search", f"{RATES}=1e-6..1e-1", "--trials", "30", "--json")
    by_chance = sweep(tmp_path / "by chance", "--search", f"{RATES}=1e-6..1e-1", "--trials", "30",
                      "--sampler", "random", "--json")  # fmt: skip

    def good(one: Any) -> int:
        return sum(10**-3.5 < rate < 10**-1.5 for rate in rates(one))

    assert good(done) > good(by_chance)


def test_integers_and_choices_are_searched(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--search", "networks.z_dim=2..4", "--json", "--trials", "10",
                 "--search", "objective.kind=hinge,vae", "--sampler", "random")  # fmt: skip
    assert done.code == 0, done.err
    settings = [row["settings"] for row in done.json["points"]]
    assert {one["networks.z_dim"] for one in settings} == {"2", "3", "4"}
    assert {one["objective.kind"] for one in settings} == {"hinge", "vae"}
    assert len(calls(tmp_path)) == 2 * 6 or len(settings) < 6  # the same point is trained once


@pytest.mark.parametrize(
    "words", [pytest.param(SEARCH, marks=SLOW), HALVING], ids=["search", "halving"]
)
def test_a_search_that_was_killed_again_and_again_has_the_table_of_one_left_alone(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    alone = sweep(tmp_path / "alone", *words, "--csv")
    assert alone.code == 0, alone.err
    events = len(trained(tmp_path / "alone")) + len(calls(tmp_path / "alone"))
    moments = sorted(random.Random(str(words)).sample(range(events - 5), 4))
    kills = [kill_sweep(tmp_path / "killed", moment, *words, "--csv") for moment in moments]
    assert all(kills)
    killed = sweep(tmp_path / "killed", *words, "--csv")
    assert table(killed) == table(alone)
    require_trained_once(tmp_path / "killed")


@pytest.mark.parametrize("words", [SEARCH, HALVING], ids=["search", "halving"])
@pytest.mark.parametrize("shared", ["folder", "sqlite", pytest.param("journal", marks=SLOW)])
def test_several_processes_train_each_trial_once(
    words: tuple[str, ...], shared: str, tmp_path: Path
) -> None:
    """In one folder, or on several machines that share a data base or a file and no runs."""
    where = {"folder": [], "sqlite": ["--storage", f"sqlite:///{tmp_path}/trials.db"],
             "journal": ["--storage", f"{tmp_path}/trials.journal"]}[shared]  # fmt: skip
    names = ["one"] * 3 if shared == "folder" else ["one", "two", "three"]
    processes = [
        start_sweep(tmp_path / name, *words, *where, "--seeds", "2", "--json") for name in names
    ]
    done = [finish(process) for process in processes]
    assert [one.code for one in done] == [0, 0, 0], [one.err for one in done]
    steps = [step for name in set(names) for step in trained(tmp_path / name)]
    assert len(set(steps)) == len(steps)
    for name in set(names):
        require_trained_once(tmp_path / name)
        require_scored_once(tmp_path / name)
    assert [len(one.json["points"]) for one in done] == [9, 9, 9]
    assert done[0].json == done[1].json == done[2].json
    runs = {step.split()[0] for step in steps}
    assert len(runs) == 18
    if words is HALVING:  # rounds of 9, 3 and 1 points with 2 seeds
        ends = {run: max(int(step.split()[1]) for step in steps if step.startswith(run))
                for run in runs}  # fmt: skip
        assert sorted(ends.values()) == [20] * 12 + [40] * 4 + [100] * 2


@SLOW
def test_a_machine_that_stops_leaves_its_trials_to_itself(tmp_path: Path) -> None:
    where = ("--storage", f"sqlite:///{tmp_path}/trials.db")
    assert kill_sweep(tmp_path / "one", 15, *SEARCH, *where)
    other = start_sweep(tmp_path / "two", *SEARCH, *where, "--json")
    again = sweep(tmp_path / "one", *SEARCH, *where, "--json")
    done = finish(other)
    assert (again.code, done.code) == (0, 0)
    assert again.json == done.json
    for name in ("one", "two"):
        require_trained_once(tmp_path / name)
    assert len(trained(tmp_path / "one") + trained(tmp_path / "two")) == 9 * 10


def test_more_trials_go_on_with_those_there_are(tmp_path: Path) -> None:
    few = sweep(tmp_path, *SEARCH[:2], "--trials", "4", "--json")
    more = sweep(tmp_path, *SEARCH[:2], "--trials", "6", "--json")
    assert set(rates(few)) < set(rates(more))
    assert len(trained(tmp_path)) == 6 * 10


def test_a_diverged_trial_is_one_to_avoid_and_a_failed_one_counts(tmp_path: Path) -> None:
    plan_codes(tmp_path, 71)
    words = ("--search", f"{RATES}=1e-4..{DIVERGES * 1000}", "--trials", "12", "--json")
    done = sweep(tmp_path, *words)
    assert done.code == done.json["exit_code"] == 71
    statuses = [row["status"] for row in done.json["points"]]
    assert statuses.count("failed") == 1
    assert statuses.count("diverged") >= 2
    assert len(statuses) == 12
    assert statuses[0] == "complete"
    assert sweep(tmp_path, *words).json["points"] == done.json["points"]


def test_a_trial_that_was_not_finished_is_finished_next_time(tmp_path: Path) -> None:
    plan_codes(tmp_path, 143, 143, 143)
    words = (*SEARCH[:2], "--trials", "3", "--json")
    done = sweep(tmp_path, *words)
    assert done.code == done.json["exit_code"] == 75
    again = sweep(tmp_path, *words)
    assert (again.code, len(again.json["points"])) == (0, 3)
    assert len(trained(tmp_path)) == 30


def test_half_a_line_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    done = sweep(tmp_path, *SEARCH, "--json")
    (journal,) = tmp_path.glob("runs/.sweep/*.journal")
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "wor')
    assert sweep(tmp_path, *SEARCH, "--json").json == done.json
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_damaged_journal_is_an_error(tmp_path: Path) -> None:
    journal = tmp_path / "trials.journal"
    journal.write_text('{"op_code": 0}\nnonsense\n{"op_code": 1}\n')
    done = sweep(tmp_path, *SEARCH, "--storage", str(journal), "--json")
    assert done.code == done.json["exit_code"] == 65
    assert "trials.journal" in done.json["error"]


def test_a_data_base_that_cannot_be_reached_is_an_error_without_the_password(
    tmp_path: Path,
) -> None:
    done = sweep(tmp_path, *SEARCH, "--storage", "sqlite:////nowhere/trials.db", "--json")
    assert done.code == done.json["exit_code"] == 69
    done = sweep(tmp_path, *SEARCH, "--storage", "mysql://me:secret@host/trials", "--json")
    assert done.code == done.json["exit_code"] == 2
    assert "secret" not in done.err + json.dumps(done.json)

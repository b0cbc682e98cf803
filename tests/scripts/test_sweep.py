"""``scripts/sweep``: the grid, exit codes, continuing after an interruption, and the table."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.data.digits import Digits
from genctl.evaluation.judge_cache import load_judge
from tests.conftest import REPOSITORY
from tests.support.processes import SETTINGS
from tests.support.quick_judges import quick_judges
from tests.support.recorder import Recorder

SCRIPTS = REPOSITORY / "scripts"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge of digits for other processes, trained in seconds."""
    folder = tmp_path_factory.mktemp("cache")
    digits = Digits(image_size=8)
    with quick_judges(folder, 4_000):
        load_judge(digits.load("train"), digits.load("test"), torch.device("cpu"), Recorder())
    return folder


@pytest.fixture(scope="module")
def module() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield importlib.import_module("sweep")


# -- end to end -----------------------------------------------------------------------------------


def test_two_settings_give_two_rows_and_a_second_sweep_only_reads_them(
    cache: Path, tmp_path: Path
) -> None:
    rates = "optimizer.learning_rate=1e-3,1e-4"
    first = _sweep(tmp_path, rates, GENCTL_CACHE=str(cache))
    assert first.returncode == 0, first.stderr
    assert "2 of 2 runs" in first.stderr
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in first.stdout.splitlines()]
    assert rows[0][:6] == ["setting", "seeds", "images", "images/s", "agreement", "fid"]
    assert [row[0] for row in rows[2:]] == [
        "real images", "optimizer.learning_rate=1e-3", "optimizer.learning_rate=1e-4",
    ]  # fmt: skip
    records = _records(tmp_path)
    assert [one["settings"]["optimizer.learning_rate"] for one in records] == ["1e-3", "1e-4"]
    assert {one["images"] for one in records} == {480}
    for record, row in zip(records, rows[3:], strict=True):
        evaluation = json.loads((tmp_path / record["run"] / "evaluation.json").read_text())
        assert record["evaluation"] == evaluation
        assert row[5] == f"{evaluation['scores']['fid']:.4f}"

    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/[!.]*.json")}
    again = _sweep(tmp_path, rates, GENCTL_CACHE=str(tmp_path / "no judge here"))
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/[!.]*.json")} == written


def _sweep(folder: Path, *axes: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Sweep the preset ``tiny``, as short as possible, along these axes."""
    fixed = [setting for setting in SETTINGS if not setting.startswith("training.images")]
    sets = [word for setting in (*fixed, *axes) for word in ("--set", setting)]
    options = ["--config", "tiny", "--images", "480", "--seeds", "1", "--sampling-seeds", "1",
               "--n", "60"]  # fmt: skip
    return subprocess.run(
        [sys.executable, SCRIPTS / "sweep.py", *options, *sets, "--runs", "runs", "--jobs", "2"],
        capture_output=True, text=True, cwd=folder, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
    )  # fmt: skip


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "runs/sweep.jsonl").read_text().splitlines()]


# -- the grid -------------------------------------------------------------------------------------


def test_axes_span_a_grid_and_the_first_seeds_come_first(module: Any) -> None:
    jobs = module.plan(["a", "b"], ["x=1,2", "widths=[8,8],[16,16]"], 2)
    assert len(jobs) == len(set(jobs)) == 16
    assert jobs[:3] == [
        module.Job("a", ("x=1", "widths=[8,8]"), 0),
        module.Job("a", ("x=1", "widths=[16,16]"), 0),
        module.Job("a", ("x=2", "widths=[8,8]"), 0),
    ]
    assert [job.seed for job in jobs] == [0] * 8 + [1] * 8
    assert module.plan(["a"], [], 1) == [module.Job("a", (), 0)]


def test_runs_of_different_budgets_have_different_folders(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one folder, a larger budget would extend a run whose schedule has ended."""

    def folder(*budget: str) -> Path:
        monkeypatch.setattr(sys, "argv", ["sweep", "--config", "tiny", *budget])
        found: Path = module.parse_arguments().runs
        return found

    budgets = [("--max-time", "60"), ("--max-time", "240"), ("--images", "240")]
    assert [str(folder(*budget)) for budget in budgets] == [
        "runs/sweep-60s", "runs/sweep-240s", "runs/sweep-240",
    ]  # fmt: skip


# -- exit codes -----------------------------------------------------------------------------------

FAKE_GENCTL = """
import json, os, pathlib, sys, time
calls = pathlib.Path("calls")
with calls.open("a") as file:
    print(sys.argv[1], os.environ["OMP_NUM_THREADS"], file=file)
codes = json.loads(pathlib.Path("codes.json").read_text())
count = len(calls.read_text().splitlines())
code = codes[count - 1] if count <= len(codes) else 0
if code == "hang":
    pathlib.Path("started").touch()
    time.sleep(30)
    pathlib.Path("overslept").touch()
status = "diverged" if code == 3 else "complete"
pathlib.Path("run").mkdir(exist_ok=True)
pathlib.Path("run/model").touch()
scores = {"fid": 0.5, "agreement": 0.9}
print(json.dumps({"run": "run", "model": "run/model", "status": status, "images": 64,
                  "images_per_second": 9.0, "scores": scores, "real": scores, "seeds": 1,
                  "against": "train", "features": "judge"}))
sys.exit(code)
"""


@pytest.fixture
def sweep(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sweep one setting with a fake genctl, which ends with the given exit codes."""
    (tmp_path / "fake.py").write_text(FAKE_GENCTL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "GENCTL", [sys.executable, "fake.py"])

    def run(*codes: int | str, jobs: int = 1) -> tuple[int, list[str]]:
        (tmp_path / "codes.json").write_text(json.dumps(codes))
        command = ["sweep", "--config", "tiny", "--images", "64", "--seeds", "1",
                   "--sampling-seeds", "1"]  # fmt: skip
        monkeypatch.setattr(sys, "argv", [*command, "--runs", "runs", "--jobs", str(jobs)])
        code = module.run(module.parse_arguments())
        return code, (tmp_path / "calls").read_text().splitlines()

    return run


@pytest.mark.parametrize("code", [69, 74, 75, 129, 130, 137, 143])
def test_a_command_that_may_succeed_later_is_tried_again(
    code: int, sweep: Any, tmp_path: Path
) -> None:
    exit_code, calls = sweep(code)
    assert exit_code == 0
    assert [call.split()[0] for call in calls] == ["train", "train", "evaluate"]
    assert _records(tmp_path)[0]["evaluation"]["scores"]["fid"] == 0.5


def test_a_run_that_never_succeeds_is_left_to_the_next_sweep(sweep: Any, tmp_path: Path) -> None:
    exit_code, calls = sweep(75, 75, 75)
    assert (exit_code, len(calls)) == (75, 3)
    assert _records(tmp_path) == []


def test_a_diverged_run_is_recorded_and_not_evaluated(sweep: Any, tmp_path: Path) -> None:
    exit_code, calls = sweep(3)
    assert (exit_code, len(calls)) == (0, 1)
    (record,) = _records(tmp_path)
    assert (record["status"], record["evaluation"]) == ("diverged", None)
    assert "0: diverged at 64 images" in (tmp_path / "runs/sweep.md").read_text()


@pytest.mark.parametrize("code", [1, 2, 65, 66, 71, 73])
def test_any_other_exit_code_ends_the_sweep(code: int, sweep: Any) -> None:
    exit_code, calls = sweep(code)
    assert (exit_code, len(calls)) == (code, 1)


def test_jobs_share_the_cores(sweep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert sweep(jobs=2)[1] == ["train 4", "evaluate 4"]


def test_an_interrupted_sweep_terminates_its_commands(sweep: Any, tmp_path: Path) -> None:
    pid = os.getpid()
    # From another process, once the command is running.
    watcher = subprocess.Popen(
        [sys.executable, "-c",
         "import os, pathlib, time\n"
         "while not pathlib.Path('started').exists(): time.sleep(0.05)\n"
         f"os.kill({pid}, {int(signal.SIGINT)})"],
        cwd=tmp_path,
    )  # fmt: skip
    exit_code, calls = sweep("hang")
    assert (exit_code, len(calls)) == (130, 1)
    assert not (tmp_path / "overslept").exists()
    assert watcher.wait() == 0


# -- the table ------------------------------------------------------------------------------------


def test_the_table_has_mean_and_deviation_and_the_worst_seed(module: Any) -> None:
    records = [_record("1", seed, fid, 0.9) for seed, fid in enumerate((0.2, 0.4, 0.3))]
    records += [_record("2", 0, 0.5, 0.8), _record("2", 1, None)]
    rows = module.table(records).splitlines()
    assert rows[0] == "| setting | seeds | images | images/s | agreement | fid | worst seed |"
    assert rows[2] == "| real images |  |  |  | 0.9900 | 0.0300 |  |"
    assert rows[3] == (
        "| x=1 | 3 | 64 ± 0 | 9 ± 0 | 0.9000 ± 0.0000 | 0.3000 ± 0.1000 "
        "| 1: fid 0.4000, agreement 0.9000 |"
    )
    assert rows[4] == (
        "| x=2 | 2, 1 diverged | 64 | 9 | 0.8000 | 0.5000 | 1: diverged at 64 images |"
    )


def _record(x: str, seed: int, fid: float | None, agreement: float = 0.0) -> dict[str, Any]:
    scores = {"fid": fid, "agreement": agreement}
    real = {"fid": 0.03, "agreement": 0.99}
    return {
        "config": "tiny", "settings": {"same": "1", "x": x}, "seed": seed, "images": 64,
        "images_per_second": 9.0,
        "evaluation": None if fid is None else {"scores": scores, "real": real},
    }  # fmt: skip

"""What a run writes for those who look at it later: samples before the first step, and facts."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.runs.run import Run
from tests.conftest import RunGenctl
from tests.support.processes import SCORED, run_training, signal_after_step
from tests.support.quick_judges import quick_judges

FIRST = "runs/run/samples/000000000.png"


def test_the_first_grid_is_of_the_initial_weights_and_is_not_written_again(
    tmp_path: Path, uninterrupted_run: Path
) -> None:
    fault = signal_after_step(signal.SIGTERM, step=17)
    assert run_training(tmp_path, fault=fault).code == 143
    first = tmp_path / FIRST
    before = first.stat()
    runs = (tmp_path / "runs/run", uninterrupted_run)
    assert run_training(tmp_path).code == 0
    assert first.stat() == before
    assert first.read_bytes() == (uninterrupted_run / "samples/000000000.png").read_bytes()
    grids = [sorted(path.name for path in (run / "samples").iterdir()) for run in runs]
    assert grids[0] == grids[1]
    assert first.read_bytes() != (uninterrupted_run / "samples/000000128.png").read_bytes()


def test_a_run_that_starts_again_has_its_first_grid(tmp_path: Path) -> None:
    fault = signal_after_step(signal.SIGKILL, step=2)  # before its first checkpoint
    assert run_training(tmp_path, fault=fault).code == -9
    (tmp_path / FIRST).unlink()
    assert run_training(tmp_path).code == 0
    assert (tmp_path / FIRST).exists()


@pytest.fixture
def scored(genctl: RunGenctl, tmp_path: Path) -> dict[str, Any]:
    """The environment.json of a run with scores."""
    sets = [word for setting in SCORED for word in ("--set", setting)]
    with quick_judges(tmp_path / "cache", num_images=2_000):
        assert genctl("train", "--config", "tiny", "--name", "run", *sets).code == 0
    content: dict[str, Any] = json.loads((tmp_path / "runs/run/environment.json").read_text())
    return content


def test_the_environment_has_parameters_and_what_scores_depend_on(
    scored: dict[str, Any], tmp_path: Path
) -> None:
    config = configs.load(str(tmp_path / "runs/run/config.yaml"))
    assert scored["parameters"] == build_model(config, num_classes=10).parameter_counts()
    assert 0 < scored["judge"]["accuracy"] <= 1
    assert len(scored["judge"]["digest"]) == 64
    scoring = scored["scoring"]
    assert (scoring["n"], scoring["against"], scoring["features"]) == (100, "train", "judge")
    lines = [line for line in Run(tmp_path / "runs/run").read_metrics() if "scores" in line]
    assert scoring["real"].keys() == lines[0]["scores"].keys()
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0

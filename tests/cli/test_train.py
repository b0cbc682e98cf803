"""The result, the files and the exit codes of `genctl train`."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunGenctl
from tests.support.processes import checkpointed_images, run_training

KEYS = {"run", "status", "images", "seconds", "images_per_second", "model", "samples", "metrics"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a complete short run, and its JSON. Do not write."""
    folder = tmp_path_factory.mktemp("finished")
    done = run_training(folder)
    assert done.code == 0, done.err
    return folder, done.json


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Every file except the lock."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]
    return {path: path.read_bytes() for path in paths}


def test_the_json_has_the_keys_of_the_contract(finished: tuple[Path, Any]) -> None:
    folder, result = finished
    assert result.keys() >= KEYS
    assert result["run"] == "runs/run"
    assert result["status"] == "complete"
    assert result["images"] == 480
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    assert (folder / result["model"]).name == "model.safetensors"
    assert (folder / result["samples"]).read_bytes().startswith(b"\x89PNG")
    assert {"critic/real", "critic/fake", "generator/fake"} <= result["metrics"].keys()


def test_the_run_directory_has_the_files_of_the_contract(finished: tuple[Path, Any]) -> None:
    run = finished[0] / "runs" / "run"
    names = {path.name for path in run.iterdir() if path.name[0] != "."}
    assert names == {
        "config.yaml", "environment.json", "metrics.jsonl", "samples", "checkpoints",
        "model.safetensors", "result.json", "tensorboard",
    }  # fmt: skip
    assert checkpointed_images(run) == ["384", "480"]  # training.keep is 2
    assert [path.name for path in sorted((run / "samples").iterdir())] == [
        "000000000.png", "000000128.png", "000000256.png", "000000384.png", "000000480.png",
    ]  # fmt: skip


def test_a_dry_run_writes_nothing(genctl: RunGenctl, tmp_path: Path) -> None:
    done = genctl("train", "--config", "tiny", "--dry-run", "--json")
    assert done.code == 0
    assert done.json["parameters"].keys() == {"generator", "critic", "encoder"}
    assert all(count > 0 for count in done.json["parameters"].values())
    assert done.json["config"]["training"]["images"] == 6400
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_other_settings_is_refused_with_the_differences(
    finished: tuple[Path, Any],
) -> None:
    folder = finished[0]
    before = snapshot(folder / "runs")
    done = run_training(folder, "--set", "optimizer.learning_rate=0.5", "--set", "training.seed=3")
    assert done.code == done.json["exit_code"] == 2
    assert "runs/run/config.yaml: optimizer.learning_rate: 0.001 -> 0.5" in done.err
    assert "runs/run/config.yaml: training.seed: 0 -> 3" in done.err
    assert "--fresh" in done.err
    assert snapshot(folder / "runs") == before


def test_fresh_renames_the_old_run(tmp_path: Path) -> None:
    run_training(tmp_path)
    run = tmp_path / "runs" / "run"
    old = snapshot(run)
    done = run_training(
        tmp_path, "--fresh", "--set", "training.seed=3", "--set", "training.images=64"
    )
    assert done.code == 0
    assert "renamed the old run to runs/run.old-1" in done.err
    moved = {run / path.relative_to(f"{run}.old-1"): content
             for path, content in snapshot(Path(f"{run}.old-1")).items()}  # fmt: skip
    assert moved == old
    assert done.json["images"] == 64
    run_training(tmp_path, "--fresh", "--set", "training.images=64")
    assert Path(f"{run}.old-2").is_dir()


def test_a_run_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_training(tmp_path, "--runs", "file")
    assert done.code == done.json["exit_code"] == 73
    assert done.err.count("genctl: error:") == 1
    assert "cannot create file/run" in done.err


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_absent_is_an_error(device: str, tmp_path: Path) -> None:
    done = run_training(tmp_path, "--device", device)
    assert done.code == done.json["exit_code"] == 69
    assert f"--device {device}: this machine has" in done.err
    assert "use --device auto" in done.err
    assert run_training(tmp_path).code == 0  # the run is not locked


def test_an_unknown_device_is_a_usage_error(tmp_path: Path) -> None:
    assert run_training(tmp_path, "--device", "toaster").code == 2


# -- divergence -----------------------------------------------------------------------------------


def test_a_run_that_diverged_answers_the_same_again(tmp_path: Path) -> None:
    huge = ("--set", "optimizer.learning_rate=1e20")
    done = run_training(tmp_path, *huge)
    assert done.code == done.json["exit_code"] == 3
    assert done.json["status"] == "diverged"
    assert "became infinite or NaN" in done.err
    run = tmp_path / "runs" / "run"
    before = snapshot(run)
    again = run_training(tmp_path, *huge)
    assert again.code == 3
    assert "would again; change its settings, or start it again with --fresh" in again.err
    assert again.json == done.json | {"error": again.json["error"]}
    assert snapshot(run) == before


# -- time -----------------------------------------------------------------------------------------


def test_a_run_out_of_time_has_a_model_and_is_complete(tmp_path: Path) -> None:
    words = ("--set", "training.images=100000000", "--max-time", "6")
    done = run_training(tmp_path, *words)
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
    assert done.json["stopped_by"] == "time"
    assert (tmp_path / done.json["model"]).exists()
    assert (tmp_path / done.json["samples"]).exists()
    again = run_training(tmp_path, *words)
    assert again.json == done.json
    assert "already complete" in again.err

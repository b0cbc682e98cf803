"""What `genctl train` answers, and which code it leaves with."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.common import tensors
from genctl.objectives.nonsaturating import NonSaturating
from genctl.training.trainer import Trainer
from tests.conftest import RunGenctl
from tests.support.processes import after_step, checkpointed_images, run_training

KEYS = {"run", "status", "images", "seconds", "images_per_second", "model", "samples", "metrics"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder in which a short run was finished, and its JSON. Do not write."""
    folder = tmp_path_factory.mktemp("finished")
    done = run_training(folder)
    assert done.code == 0, done.err
    return folder, done.json


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Every file but those of the lock."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]
    return {path: path.read_bytes() for path in paths}


def test_its_json_is_the_contracts(finished: tuple[Path, Any]) -> None:
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


def test_the_run_directory_is_the_contracts(finished: tuple[Path, Any]) -> None:
    run = finished[0] / "runs" / "run"
    names = {path.name for path in run.iterdir() if path.name[0] != "."}
    assert names == {
        "config.yaml", "environment.json", "metrics.jsonl", "samples", "checkpoints",
        "model.safetensors", "result.json", "tensorboard",
    }  # fmt: skip
    assert checkpointed_images(run) == ["384", "480"]  # training.keep is 2
    assert [path.name for path in sorted((run / "samples").iterdir())] == [
        "000000128.png", "000000256.png", "000000384.png", "000000480.png",
    ]  # fmt: skip


def test_files_are_as_open_as_the_umask_says(finished: tuple[Path, Any]) -> None:
    mask = os.umask(0)
    os.umask(mask)
    written = [path for path in finished[0].rglob("[!.]*") if path.suffix != ".0"]
    assert {path.stat().st_mode & 0o777 for path in written if path.is_file()} == {0o666 & ~mask}


def test_a_dry_run_writes_nothing(genctl: RunGenctl, tmp_path: Path) -> None:
    done = genctl("train", "--config", "tiny", "--dry-run", "--json")
    assert done.code == 0
    assert done.json["parameters"].keys() == {"generator", "critic", "encoder"}
    assert all(count > 0 for count in done.json["parameters"].values())
    assert done.json["config"]["training"]["images"] == 6400
    assert list(tmp_path.iterdir()) == []


def test_other_settings_in_an_old_run_are_refused_with_the_difference(
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


def test_fresh_renames_the_old_run_aside(tmp_path: Path) -> None:
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


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "runs" / "run").mkdir(parents=True)
    (tmp_path / "runs" / "run" / "thesis.tex").write_text("mine")
    for words in ((), ("--fresh",)):
        done = run_training(tmp_path, *words)
        assert done.code == 73
        assert "is not a run of genctl" in done.err
    assert [path.name for path in (tmp_path / "runs").rglob("*")] == ["run", "thesis.tex"]


def test_runs_that_cannot_be_created_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_training(tmp_path, "--runs", "file")
    assert done.code == done.json["exit_code"] == 73
    assert done.err.count("genctl: error:") == 1
    assert "cannot create file/run" in done.err


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_not_there_is_told(device: str, tmp_path: Path) -> None:
    done = run_training(tmp_path, "--device", device)
    assert done.code == done.json["exit_code"] == 69
    assert f"--device {device}: this machine has" in done.err
    assert "use --device auto" in done.err
    assert run_training(tmp_path).code == 0  # the run is free for a device that is


def test_a_device_that_does_not_exist_is_a_wrong_command(tmp_path: Path) -> None:
    assert run_training(tmp_path, "--device", "toaster").code == 2


# -- divergence -----------------------------------------------------------------------------------


def poisoned(step: int) -> Any:
    """A generator's loss that is not a number after a step."""

    def poison(_: Trainer) -> None:
        NonSaturating.generator_terms = (  # type: ignore[method-assign]
            lambda self, score, real, fake, batch: {"fake": fake.mean() * float("nan")}
        )

    return after_step(step, poison)


def assert_finite_files(run: Path) -> None:
    for path in run.rglob("*.safetensors"):
        kind = "model" if path.name == "model.safetensors" else "checkpoint"
        tensors.require_finite(tensors.read(path, kind)[0], path)


def test_a_rate_out_of_this_world_diverges_and_is_not_tried_again(tmp_path: Path) -> None:
    far = ("--set", "optimizer.learning_rate=1e20")
    done = run_training(tmp_path, *far)
    assert done.code == done.json["exit_code"] == 3
    assert done.json["status"] == "diverged"
    assert "became infinite or not a number" in done.err
    run = tmp_path / "runs" / "run"
    assert_finite_files(run)
    before = snapshot(run)
    again = run_training(tmp_path, *far)
    assert again.code == 3
    assert "would again; change its settings, or start it anew with --fresh" in again.err
    assert again.json == done.json | {"error": again.json["error"]}
    assert snapshot(run) == before


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    done = run_training(tmp_path, fault=poisoned(step=20))
    assert done.code == 3
    assert "generator/fake became infinite or not a number" in done.err
    run = tmp_path / "runs" / "run"
    assert checkpointed_images(run) == ["128", "256"]
    assert_finite_files(run)
    assert done.json["model"] == "runs/run/model.safetensors"


def test_weights_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    def spoil(trainer: Trainer) -> None:
        next(trainer.averaged.parameters()).data.fill_(torch.inf)

    done = run_training(tmp_path, fault=after_step(16, spoil))
    assert done.code == 3
    assert "average.roles.generator" in done.err
    run = tmp_path / "runs" / "run"
    assert checkpointed_images(run) == ["128"]
    assert_finite_files(run)


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

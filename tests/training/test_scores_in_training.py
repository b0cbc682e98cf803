"""Scores during training: they choose the model, may end the run, and change nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.common import tensors
from genctl.evaluation import judge_training
from genctl.runs import model_file
from genctl.training.early_stopping import overall
from tests.conftest import Completed, RunGenctl
from tests.support.processes import SCORED

UNSCORED = (*SCORED, "evaluation.every=0")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One judge for all tests, trained in seconds."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENCTL_CACHE", str(folder))
        patch.setattr(judge_training, "EPOCHS", 1)
        patch.setattr(judge_training, "MIN_IMAGES", 4_000)
        yield folder


def train(genctl: RunGenctl, name: str, settings: tuple[str, ...], *more: object) -> Completed:
    sets = [word for setting in settings for word in ("--set", setting)]
    return genctl("train", "--config", "tiny", "--name", name, "--json", *sets, *more)


def scores(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if "scores" in record]


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest = max((run / "checkpoints").glob("*.safetensors"))
    return tensors.read(newest, "checkpoint")[0]


def test_scores_choose_the_model_and_change_no_weight(genctl: RunGenctl, tmp_path: Path) -> None:
    with_scores = train(genctl, "scored", SCORED)
    without = train(genctl, "unscored", UNSCORED)
    assert (with_scores.code, without.code) == (0, 0)
    scored, unscored = weights(tmp_path / "runs/scored"), weights(tmp_path / "runs/unscored")
    assert scored.keys() == unscored.keys()
    assert all(torch.equal(scored[name], unscored[name]) for name in scored)

    found = scores(tmp_path / "runs/scored")
    assert [record["images"] for record in found] == [96, 192, 288, 384, 480]
    assert not scores(tmp_path / "runs/unscored")
    assert with_scores.json["metrics"]["fid"] == found[-1]["scores"]["fid"]
    best = min(found, key=lambda record: overall(record["scores"]))
    model = model_file.read(tmp_path / "runs/scored/model.safetensors", torch.device("cpu"))
    assert model.metadata.images == best["images"]


def test_patience_ends_a_run_and_the_run_stays_complete(genctl: RunGenctl, tmp_path: Path) -> None:
    # With a rate this small nothing gets better for long.
    slow = ("optimizer.learning_rate=1e-12", "training.patience=96", "training.images=100000")
    settings = (*SCORED, *slow)
    done = train(genctl, "patient", settings)
    assert done.json["stopped_by"] == "patience"
    assert done.json["images"] < 100_000
    assert train(genctl, "patient", settings).json == done.json


def test_no_judge_is_trained_within_a_deadline(
    genctl: RunGenctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "empty"))
    # It counts from the start of this process, which may have run other tests for minutes.
    done = train(genctl, "hurried", SCORED, "--max-time", 100_000)
    assert done.code == 0
    assert "no scores: there is no judge of these images yet" in done.err
    assert not list(tmp_path.glob("empty/**/*.safetensors"))
    assert not scores(tmp_path / "runs/hurried")
    assert (tmp_path / "runs/hurried/model.safetensors").exists()

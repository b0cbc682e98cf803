"""Scores during training choose the model and may end the run, but change no weight."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.common import tensors
from genctl.runs import model_file
from genctl.training.early_stopping import overall_score
from tests.conftest import Completed, RunGenctl
from tests.support.processes import SCORED
from tests.support.quick_judges import quick_judges

UNSCORED = (*SCORED, "evaluation.every=0")


@pytest.fixture(autouse=True, scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One judge for all tests, trained in seconds."""
    with quick_judges(tmp_path_factory.mktemp("cache"), num_images=4_000):
        yield


def train(genctl: RunGenctl, name: str, settings: tuple[str, ...], *more: object) -> Completed:
    sets = [word for setting in settings for word in ("--set", setting)]
    return genctl("train", "--config", "tiny", "--name", name, "--json", *sets, *more)


def read_scores(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if "scores" in record]


def read_checkpoint(run: Path) -> dict[str, torch.Tensor]:
    return tensors.read(max((run / "checkpoints").glob("*.safetensors")), "checkpoint")[0]


def test_scores_choose_the_model_and_change_no_weight(genctl: RunGenctl, tmp_path: Path) -> None:
    scored, unscored = tmp_path / "runs/scored", tmp_path / "runs/unscored"
    with_scores, without = train(genctl, "scored", SCORED), train(genctl, "unscored", UNSCORED)
    assert (with_scores.code, without.code) == (0, 0)
    expected, actual = read_checkpoint(unscored), read_checkpoint(scored)
    assert expected.keys() == actual.keys()
    assert all(torch.equal(expected[name], actual[name]) for name in expected)

    records = read_scores(scored)
    assert [record["images"] for record in records] == [96, 192, 288, 384, 480]
    assert not read_scores(unscored)
    assert with_scores.json["metrics"]["fid"] == records[-1]["scores"]["fid"]
    best = min(records, key=lambda record: overall_score(record["scores"]))
    model = model_file.read(scored / "model.safetensors", torch.device("cpu"))
    assert model.metadata.images == best["images"]


def test_a_run_that_patience_ended_is_complete(genctl: RunGenctl) -> None:
    # With a learning rate this small, scores do not improve for long.
    slow = ("optimizer.learning_rate=1e-12", "training.patience=96", "training.images=100000")
    done = train(genctl, "patient", (*SCORED, *slow))
    assert done.json["stopped_by"] == "patience"
    assert done.json["images"] < 100_000
    assert train(genctl, "patient", (*SCORED, *slow)).json == done.json


def test_no_judge_is_trained_within_max_time(
    genctl: RunGenctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "empty"))
    # It counts from the start of this process, which may have run other tests for minutes.
    done = train(genctl, "hurried", SCORED, "--max-time", 100_000)
    assert done.code == 0
    assert "no scores: there is no judge for this data yet" in done.err
    assert not list(tmp_path.glob("empty/**/*.safetensors"))
    assert not read_scores(tmp_path / "runs/hurried")
    assert (tmp_path / "runs/hurried/model.safetensors").exists()

"""Scores for use during training, on models whose scores are known beforehand."""

from pathlib import Path

import pytest
import torch

from genctl.data.base import Images
from genctl.data.digits import Digits
from genctl.evaluation import lessons
from genctl.evaluation.cache import judge_of
from genctl.evaluation.scorer import Scorer
from genctl.runs import model_file
from tests.support.painters import Mirror, unconditional
from tests.support.recorder import Recorder

CPU = torch.device("cpu")
CLOSENESS = {"fid", "precision", "recall", "density", "coverage"}


@pytest.fixture(scope="module")
def data() -> Images:
    return Digits(image_size=16).load("train")


@pytest.fixture(scope="module")
def scorer(data: Images, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    held_out = Digits(image_size=16).load("test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(lessons, "EPOCHS", 1)
        patch.setattr(lessons, "MIN_LOOKS", 8_000)
        judge = judge_of(data, held_out, CPU, Recorder())
    return Scorer(judge, data, held_out, n=200)


def test_a_mirror_scores_as_the_real_images_that_it_is_shown(scorer: Scorer) -> None:
    scores = scorer.score(Mirror())
    assert {name: scores[name] for name in CLOSENESS} == pytest.approx(scorer.real)
    assert scores["agreement"] > 0.85


def test_an_unconditional_model_has_no_agreement(scorer: Scorer, data: Images) -> None:
    assert scorer.score(unconditional(data)).keys() == CLOSENESS


def test_a_trained_model_is_worse_than_real_and_always_scores_the_same(
    scorer: Scorer, tiny_run: Path
) -> None:
    model = model_file.read(tiny_run / "model.safetensors", CPU).model
    first = scorer.score(model)
    assert scorer.score(model) == first
    assert first["fid"] > 2 * scorer.real["fid"]
    assert first["coverage"] < scorer.real["coverage"]
    assert first["agreement"] > 0.3


def test_scoring_leaves_the_randomness_of_the_run_alone(scorer: Scorer) -> None:
    before = torch.get_rng_state()
    Scorer(scorer.judge, scorer.held_out, scorer.held_out, n=50).score(Mirror())
    assert torch.get_rng_state().equal(before)

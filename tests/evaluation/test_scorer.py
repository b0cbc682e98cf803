"""Scores during training, of models whose scores are known."""

from pathlib import Path

import pytest
import torch

from genctl.data.base import Images
from genctl.data.digits import Digits
from genctl.evaluation.judge_cache import load_judge
from genctl.evaluation.scorer import Scorer
from genctl.runs import model_file
from tests.support.fake_models import IdentityModel, unconditional
from tests.support.quick_judges import quick_judges
from tests.support.recorder import Recorder

CPU = torch.device("cpu")
COMPARED = {"fid", "precision", "recall", "density", "coverage"}


@pytest.fixture(scope="module")
def train_images() -> Images:
    return Digits(image_size=16).load("train")


@pytest.fixture(scope="module")
def scorer(train_images: Images, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    test_images = Digits(image_size=16).load("test")
    with quick_judges(tmp_path_factory.mktemp("cache")):
        judge = load_judge(train_images, test_images, CPU, Recorder())
    return Scorer(judge, train_images, test_images, num_samples=200)


def test_model_that_returns_its_conditions_scores_like_real_images(scorer: Scorer) -> None:
    scores = scorer.score(IdentityModel())
    assert scores == pytest.approx(scorer.real_scores)
    assert scores["agreement"] > 0.85


def test_unconditional_model_has_no_agreement(scorer: Scorer, train_images: Images) -> None:
    assert scorer.score(unconditional(train_images)).keys() == COMPARED


def test_trained_model_scores_worse_than_real_images_and_reproducibly(
    scorer: Scorer, tiny_run: Path
) -> None:
    model = model_file.read(tiny_run / "model.safetensors", CPU).model
    first = scorer.score(model)
    assert scorer.score(model) == first
    assert first["fid"] > 2 * scorer.real_scores["fid"]
    assert first["coverage"] < scorer.real_scores["coverage"]
    assert first["agreement"] > 0.3


def test_scoring_leaves_the_global_random_state_alone(scorer: Scorer) -> None:
    before = torch.get_rng_state()
    Scorer(scorer.judge, scorer.test_images, scorer.test_images, 50).score(IdentityModel())
    assert torch.get_rng_state().equal(before)

"""Images whose channels are independent images, as in stacked MNIST: their judge and scores."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.data.base import Images, Split
from genctl.data.digits import Digits
from genctl.data.stacked_mnist import StackedMnist
from genctl.data.torchvision_sets import Mnist
from genctl.evaluation import evaluate
from genctl.evaluation.evaluate import EvaluationOptions, evaluate_model
from genctl.evaluation.fid import fit_gaussian
from genctl.evaluation.judge import ComponentJudge, Judge, split_channels, unstack
from genctl.evaluation.judge_cache import has_judge, judge_folder, load_judge
from genctl.evaluation.scorer import Scorer
from genctl.evaluation.scores import expected_kl
from genctl.model import Model
from genctl.runs import model_file
from tests.conftest import RunGenctl
from tests.support.fake_models import IdentityModel, unconditional
from tests.support.quick_judges import quick_judges
from tests.support.recorder import Recorder

CPU = torch.device("cpu")
MODES = tuple(f"{number:03d}" for number in range(1000))


@pytest.fixture(autouse=True, scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """The judge of single digits, in a cache for all tests."""
    with quick_judges(tmp_path_factory.mktemp("cache")):
        yield load_judge(digits("train"), digits("test"), CPU, Recorder())


def digits(split: Split) -> Images:
    return Digits(image_size=16).load(split)


def stacks(split: Split, count: int) -> Images:
    """Images of three embedded digits, one per channel."""
    images = digits(split)
    rng = torch.Generator().manual_seed(0)
    index = torch.randint(len(images), (count, 3), generator=rng)
    labels = (images.labels[index] * torch.tensor([100, 10, 1])).sum(dim=1)
    return Images(images.pixels[index, 0], labels, MODES, components=images)


# -- the judge ------------------------------------------------------------------------------------


def test_channels_are_classified_separately_and_combined_into_a_number(judge: Judge) -> None:
    images = stacks("test", 50)
    output = ComponentJudge.of(judge, 3).classify(images.pixels)
    red, green, blue = (judge.classify(images.pixels[:, [channel]]) for channel in range(3))
    assert output.labels.equal(100 * red.labels + 10 * green.labels + blue.labels)
    features = torch.cat([red.features, green.features, blue.features], dim=1)
    assert torch.allclose(output.features, features, atol=1e-5)
    assert float((output.labels == images.labels).double().mean()) > 0.7


def test_training_gaussian_is_that_of_all_combinations(judge: Judge) -> None:
    pixels = digits("train").pixels[:60]
    judge = replace(judge, training=fit_gaussian(judge.classify(pixels).features))
    pairs = torch.cartesian_prod(torch.arange(60), torch.arange(60))
    pair_judge = ComponentJudge.of(judge, 2)
    expected = fit_gaussian(pair_judge.classify(pixels[pairs, 0]).features)
    assert torch.allclose(pair_judge.training.mean, expected.mean, atol=1e-5)
    # All combinations are a population and not a sample of one: divide by 60 and not by 59.
    covariance = pair_judge.training.covariance * 59 / 60
    assert torch.allclose(covariance, expected.covariance, atol=2e-3)


def test_judge_of_stacks_is_the_cached_one_of_their_components() -> None:
    before = list(judge_folder().iterdir())
    reporter, images = Recorder(), stacks("train", 20)
    single = load_judge(digits("train"), digits("test"), CPU, reporter)
    stacked = load_judge(images, stacks("test", 20), CPU, reporter)
    assert (stacked.digest, stacked.accuracy) == (single.digest, single.accuracy)
    assert reporter.messages == []
    assert list(judge_folder().iterdir()) == before
    assert has_judge(images)
    assert not has_judge(replace(images, components=None))


def test_unstacked_images_have_the_classes_of_their_channels() -> None:
    images = stacks("test", 40)
    single = unstack(images, digits("test"))
    assert single.pixels.equal(split_channels(images.pixels))
    assert single.classes == digits("test").classes
    numbers = ["".join(map(str, three)) for three in single.labels.unflatten(0, (40, 3)).tolist()]
    assert numbers == [MODES[label] for label in images.labels]


# -- scores ---------------------------------------------------------------------------------------


def test_copies_of_real_stacks_score_like_real_ones(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = scores_of(unconditional(stacks("train", 20_000)), tiny_run, monkeypatch)
    scores, real = result["scores"], result["real"]
    assert result["n"] == 2500  # one per test image
    assert result["floor"] == {"kl": expected_kl(1000, 2500)}
    assert scores["modes"] == pytest.approx(real["modes"], abs=40)
    assert scores["kl"] == pytest.approx(real["kl"], rel=0.2)
    assert result["floor"]["kl"] < scores["kl"] < 2 * result["floor"]["kl"]
    assert scores["fid"] < 2 * real["fid"]
    assert scores["copies"] == 1  # of digits, though not of stacks
    assert [text.partition(":")[0] for text in result["warnings"]] == ["copies of training images"]
    assert sum(one["scores"]["share"] for one in result["per_class"].values()) == pytest.approx(1)
    assert {name for one in result["per_class"].values() for name in one["real"]} == {"share"}


def test_missing_modes_are_counted(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = stacks("train", 20_000)
    kept = images.labels // 100 != 3
    without = replace(images, pixels=images.pixels[kept], labels=images.labels[kept])
    result = scores_of(unconditional(without), tiny_run, monkeypatch)
    (missing,) = (text for text in result["warnings"] if "missing" in text)
    assert missing == f"modes missing: {round(1000 - result['scores']['modes'])} of 1,000"
    assert result["scores"]["modes"] < result["real"]["modes"] - 50


def test_conditional_model_of_stacks_is_scored(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = EvaluationOptions(n=300, seeds=1, cas=True)
    result = scores_of(IdentityModel(channels=3), tiny_run, monkeypatch, options)
    for name in ("fid", "coverage", "agreement", "modes", "kl"):
        assert result["scores"][name] == pytest.approx(result["real"][name]), name
    assert result["scores"]["cas"] > 0.5
    assert "linear_probe" not in result["scores"]


def test_scores_during_training_include_modes(judge: Judge) -> None:
    train_images, test_images = stacks("train", 1500), stacks("test", 500)
    stacked_judge = load_judge(train_images, test_images, CPU, Recorder())
    scorer = Scorer(stacked_judge, train_images, test_images, num_samples=400)
    scores = scorer.score(unconditional(train_images))
    assert 200 < scores["modes"] <= 400
    assert scores["fid"] < 2 * scorer.real_scores["fid"]


def scores_of(
    model: Model,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: EvaluationOptions = EvaluationOptions(seeds=1),  # noqa: B008 (it is frozen)
) -> dict[str, Any]:
    """The scores of a model of stacked embedded digits."""
    data = stacks("train", 3000), stacks("test", 2500)
    monkeypatch.setattr(evaluate, "load_data", lambda config, reporter: data)
    trained = model_file.read(run / "model.safetensors", CPU)
    config = trained.metadata.config.model_copy(update={"condition": model.condition})
    metadata = replace(trained.metadata, config=config, classes=MODES)
    return evaluate_model(
        replace(trained, metadata=metadata, model=model), options, CPU, Recorder()
    )


# -- stacked MNIST --------------------------------------------------------------------------------


@pytest.mark.mnist
@pytest.mark.parametrize("split", ["train", "test"])
def test_stacked_mnist_has_a_digit_of_mnist_in_each_channel(mnist_root: Path, split: Split) -> None:
    single = Mnist(root=str(mnist_root)).load(split)
    images = StackedMnist(root=str(mnist_root)).load(split)
    assert len(images) == {"train": 60_000, "test": 25_600}[split]
    assert images.judge_images.digest() == single.digest()
    labels = {
        pixels.numpy().tobytes(): label
        for pixels, label in zip(single.pixels[:, 0], single.labels.tolist(), strict=True)
    }
    for channel, place_value in enumerate((100, 10, 1)):
        for number in range(0, len(images), 997):
            pixels = images.pixels[number, channel].numpy().tobytes()
            assert labels[pixels] == int(images.labels[number]) // place_value % 10


@pytest.mark.mnist
def test_run_on_stacked_mnist_is_trained_and_evaluated(
    genctl: RunGenctl, mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_DATA", str(mnist_root))
    settings = ("data.kind=stacked_mnist", "data.image_size=8", "condition.kind=none",
                "training.images=64", "evaluation.every=64", "evaluation.num_samples=100",
                "networks.generator_channels=[8]", "networks.critic_channels=[8]")  # fmt: skip
    sets = [word for setting in settings for word in ("--set", setting)]
    trained = genctl("train", "--config", "tiny", "--name", "stacked", *sets, "--json", "--quiet")
    assert trained.code == 0, trained.err
    assert trained.json["metrics"]["modes"] >= 1
    done = genctl("evaluate", "--n", 200, "--seeds", 1, "--quiet")
    assert done.code == 0
    assert "kl of a perfect generator with 200 samples: 2.4975" in done.out
    assert "genctl: warning: modes missing: " in done.err

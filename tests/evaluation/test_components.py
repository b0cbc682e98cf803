"""Images that are several independent ones at once, as stacked MNIST: their judge, their modes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genctl.data.base import Images
from genctl.data.digits import Digits
from genctl.data.stacked_mnist import StackedMnist
from genctl.data.torchvision_sets import Mnist
from genctl.evaluation import evaluate as evaluating
from genctl.evaluation import lessons
from genctl.evaluation.cache import cache_folder, has_judge, judge_of
from genctl.evaluation.components import JudgeOfPlanes, apart, unstacked
from genctl.evaluation.evaluate import Question, evaluate
from genctl.evaluation.fid import gaussian
from genctl.evaluation.judge import Judge
from genctl.evaluation.modes import even_kl, modes
from genctl.evaluation.scorer import Scorer
from genctl.runs import model_file
from tests.conftest import RunGenctl
from tests.support.painters import Copyist, Mirror, unconditional
from tests.support.recorder import Recorder

CPU = torch.device("cpu")
MODES = tuple(f"{number:03d}" for number in range(1000))


@pytest.fixture(autouse=True, scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """The judge of single digits, trained in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(lessons, "EPOCHS", 1)
        patch.setattr(lessons, "MIN_LOOKS", 8_000)
        yield judge_of(_digits("train"), _digits("test"), CPU, Recorder())


# -- the modes ------------------------------------------------------------------------------------


def test_modes_and_their_divergence_are_those_computed_by_hand() -> None:
    found = modes(torch.tensor([0, 0, 1, 3]), _of_classes(4))
    assert found == {"modes": 3, "kl": pytest.approx(0.5 * log(0.5 * 4))}  # the others cancel
    assert modes(torch.arange(4), _of_classes(4)) == {"modes": 4, "kl": pytest.approx(0)}
    assert modes(torch.zeros(9).long(), _of_classes(4)) == {"modes": 1, "kl": pytest.approx(log(4))}


def test_modes_and_their_divergence_are_those_of_a_counter() -> None:
    seen = np.random.default_rng(0).zipf(1.5, 5000) % 1000
    counts = Counter(seen.tolist())
    divergence = sum(n / 5000 * log(n / 5000 / (1 / 1000)) for n in counts.values())
    found = modes(torch.from_numpy(seen), _of_classes(1000))
    assert found == {"modes": len(counts), "kl": pytest.approx(divergence)}


def test_even_draws_reach_the_divergence_of_a_perfect_generator_on_average() -> None:
    random = np.random.default_rng(0)
    images = _of_classes(1000)
    draws = (torch.from_numpy(random.integers(1000, size=25_600)) for _ in range(200))
    found = [modes(draw, images) for draw in draws]
    assert even_kl(1000, 25_600) == pytest.approx(0.0195, abs=1e-4)
    assert np.mean([one["kl"] for one in found]) == pytest.approx(even_kl(1000, 25_600), rel=0.02)
    assert {one["modes"] for one in found} == {1000}


def test_images_that_are_no_combinations_have_no_modes() -> None:
    assert modes(torch.arange(10), _digits("test")) == {}


def _of_classes(count: int) -> Images:
    blank = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    return Images(blank, torch.zeros(1).long(), MODES[:count], components=_digits("test"))


# -- the judge ------------------------------------------------------------------------------------


def test_each_plane_is_looked_at_alone_and_the_class_is_the_number_they_spell(judge: Judge) -> None:
    stacks = _stacks("test", 50)
    seen = JudgeOfPlanes.of(judge, 3).look(stacks.pixels)
    red, green, blue = (judge.look(stacks.pixels[:, [colour]]) for colour in range(3))
    assert seen.labels.equal(100 * red.labels + 10 * green.labels + blue.labels)
    features = torch.cat([red.features, green.features, blue.features], dim=1)
    assert torch.allclose(seen.features, features, atol=1e-5)
    assert float((seen.labels == stacks.labels).double().mean()) > 0.7


def test_its_gaussian_of_the_training_images_is_that_of_all_their_combinations(
    judge: Judge,
) -> None:
    few = _digits("train").pixels[:60]
    judge = replace(judge, training=gaussian(judge.look(few).features))
    pairs = torch.cartesian_prod(torch.arange(60), torch.arange(60))
    both = JudgeOfPlanes.of(judge, 2)
    every = gaussian(both.look(few[pairs, 0]).features)
    assert torch.allclose(both.training.mean, every.mean, atol=1e-5)
    # Of a population, not of a sample of it.
    assert torch.allclose(both.training.covariance * 59 / 60, every.covariance, atol=2e-3)


def test_the_judge_of_stacks_is_that_of_single_images_and_none_is_trained() -> None:
    before = list(cache_folder().iterdir())
    reporter, stacks = Recorder(), _stacks("train", 20)
    single = judge_of(_digits("train"), _digits("test"), CPU, reporter)
    stacked = judge_of(stacks, _stacks("test", 20), CPU, reporter)
    assert (stacked.digest, stacked.accuracy) == (single.digest, single.accuracy)
    assert reporter.said == []
    assert list(cache_folder().iterdir()) == before
    assert has_judge(stacks)
    assert not has_judge(replace(stacks, components=None))


def test_stacks_taken_apart_are_single_images_with_their_classes() -> None:
    digits, stacks = _digits("test"), _stacks("test", 40)
    single = unstacked(stacks, digits)
    assert single.pixels.equal(apart(stacks.pixels))
    assert single.classes == digits.classes
    spelled = ["".join(map(str, three)) for three in single.labels.unflatten(0, (40, 3)).tolist()]
    assert spelled == [MODES[label] for label in stacks.labels]


# -- the scores -----------------------------------------------------------------------------------


def test_a_generator_of_real_stacks_reaches_what_real_ones_do(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _evaluate(unconditional(_stacks("train", 20_000)), tiny_run, monkeypatch)
    scores, real = result["scores"], result["real"]
    assert result["n"] == 2500  # one for each held-out stack
    assert result["floor"] == {"kl": even_kl(1000, 2500)}
    assert scores["modes"] == pytest.approx(real["modes"], abs=40)
    assert scores["kl"] == pytest.approx(real["kl"], rel=0.2)
    assert result["floor"]["kl"] < scores["kl"] < 2 * result["floor"]["kl"]
    assert scores["fid"] < 2 * real["fid"]
    assert scores["copies"] == 1  # of digits, though not of stacks
    assert [text.partition(":")[0] for text in result["warnings"]] == ["copies of training images"]
    assert sum(one["scores"]["share"] for one in result["per_class"].values()) == pytest.approx(1)
    assert {name for one in result["per_class"].values() for name in one["real"]} == {"share"}


def test_modes_that_are_missing_are_counted_in_words(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = _stacks("train", 20_000)
    kept = stacks.labels // 100 != 3
    without = replace(stacks, pixels=stacks.pixels[kept], labels=stacks.labels[kept])
    result = _evaluate(unconditional(without), tiny_run, monkeypatch)
    (missing,) = (text for text in result["warnings"] if "missing" in text)
    assert missing == f"modes missing: {round(1000 - result['scores']['modes'])} of 1,000"
    assert result["scores"]["modes"] < result["real"]["modes"] - 50


def test_a_model_that_is_shown_stacks_is_measured_too(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shown(Mirror):
        def generate(self, z: Tensor, code: Tensor) -> Tensor:
            return code.unflatten(1, (3, 16, 16))

    result = _evaluate(Shown(), tiny_run, monkeypatch, Question(n=300, seeds=1, cas=True))
    for name in ("fid", "coverage", "agreement", "modes", "kl"):
        assert result["scores"][name] == pytest.approx(result["real"][name]), name
    assert result["scores"]["cas"] > 0.5
    assert "linear_probe" not in result["scores"]


def test_stacks_are_scored_during_training_too(judge: Judge) -> None:
    data, held_out = _stacks("train", 1500), _stacks("test", 500)
    scorer = Scorer(judge_of(data, held_out, CPU, Recorder()), data, held_out, n=400)
    scores = scorer.score(Copyist(data, unconditional(data).condition))
    assert 200 < scores["modes"] <= 400
    assert scores["fid"] < 2 * scorer.real["fid"]


def _evaluate(
    model: Any,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    question: Question = Question(seeds=1),  # noqa: B008 (it is frozen)
) -> dict[str, Any]:
    """The scores of a model of stacked digits."""
    data = _stacks("train", 3000), _stacks("test", 2500)
    monkeypatch.setattr(evaluating, "load_data", lambda config: data)
    trained = model_file.read(run / "model.safetensors", CPU)
    config = trained.metadata.config.model_copy(update={"condition": model.condition})
    metadata = replace(trained.metadata, config=config, classes=MODES)
    return evaluate(replace(trained, metadata=metadata, model=model), question, CPU, Recorder())


def _digits(split: Any) -> Images:
    return Digits(image_size=16).load(split)


def _stacks(split: Any, count: int) -> Images:
    """Three embedded digits on top of each other."""
    digits = _digits(split)
    random = torch.Generator().manual_seed(0)
    index = torch.randint(len(digits), (count, 3), generator=random)
    labels = (digits.labels[index] * torch.tensor([100, 10, 1])).sum(dim=1)
    return Images(digits.pixels[index, 0], labels, MODES, components=digits)


# -- stacked MNIST itself -------------------------------------------------------------------------


@pytest.mark.mnist
@pytest.mark.parametrize("split", ["train", "test"])
def test_stacked_mnist_is_three_digits_of_mnist_and_spells_their_classes(
    mnist_root: Path, split: Any
) -> None:
    digits = Mnist(root=str(mnist_root)).load(split)
    stacks = StackedMnist(root=str(mnist_root)).load(split)
    assert len(stacks) == {"train": 60_000, "test": 25_600}[split]
    assert stacks.judge_images.digest() == digits.digest()
    for colour, power in enumerate((100, 10, 1)):
        known = {picture.numpy().tobytes(): label for picture, label in
                 zip(digits.pixels[:, 0], digits.labels.tolist(), strict=True)}  # fmt: skip
        for number in range(0, len(stacks), 997):
            picture = stacks.pixels[number, colour].numpy().tobytes()
            assert known[picture] == int(stacks.labels[number]) // power % 10


@pytest.mark.mnist
def test_a_run_on_stacked_mnist_is_trained_scored_and_measured(
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

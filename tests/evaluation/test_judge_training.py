"""How judges are trained, and how accurate they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from genctl.data.base import Images, Shape
from genctl.data.digits import Digits
from genctl.data.torchvision_sets import Mnist
from genctl.evaluation import judge_training
from genctl.evaluation.judge import FEATURE_DIM, JudgeNetwork, classify
from genctl.evaluation.judge_training import accuracy
from tests.support.quick_judges import quick_judges

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> tuple[Images, Images]:
    data = Digits(image_size=16)
    return data.load("train"), data.load("test")


@pytest.fixture(scope="module")
def judge(
    digits: tuple[Images, Images], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JudgeNetwork]:
    with quick_judges(tmp_path_factory.mktemp("cache"), 12_000):
        yield train(digits[0])


def train(images: Images) -> JudgeNetwork:
    return judge_training.train_classifier(images, CPU, lambda share: None)


def test_short_training_reaches_95_percent(
    judge: JudgeNetwork, digits: tuple[Images, Images]
) -> None:
    assert accuracy(judge, digits[1]) > 0.95


def test_features_of_all_judges_have_the_same_variance(
    judge: JudgeNetwork, digits: tuple[Images, Images]
) -> None:
    variance = classify(judge, digits[0].pixels).features.var(dim=0).mean()
    assert float(variance) == pytest.approx(judge_training.FEATURE_VARIANCE, rel=1e-5)


def test_features_do_not_depend_on_the_other_images_of_a_batch(
    judge: JudgeNetwork, digits: tuple[Images, Images]
) -> None:
    pixels = digits[1].pixels
    together, alone = classify(judge, pixels).features[7], classify(judge, pixels[7:8]).features[0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_training_is_reproducible_and_leaves_the_global_random_state_alone(
    digits: tuple[Images, Images], tmp_path: Path
) -> None:
    with quick_judges(tmp_path, 500):
        first = train(digits[0]).state_dict()
        torch.manual_seed(5)
        before = torch.get_rng_state()
        second = train(digits[0]).state_dict()
    assert torch.get_rng_state().equal(before)
    assert all(tensor.equal(second[name]) for name, tensor in first.items())


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 32), (3, 32), (1, 64), (3, 256)])
def test_images_of_every_shape_can_be_classified(channels: int, size: int) -> None:
    network = JudgeNetwork(Shape(channels, size), 3).eval()
    features, logits = network(torch.zeros(2, channels, size, size))
    assert (features.shape, logits.shape) == ((2, FEATURE_DIM), (2, 3))


@pytest.mark.slow
def test_judge_of_digits_reaches_99_percent(digits: tuple[Images, Images]) -> None:
    assert accuracy(train(digits[0]), digits[1]) >= 0.99


@pytest.mark.slow
@pytest.mark.mnist
def test_judge_of_mnist_reaches_99_5_percent(mnist_root: Path) -> None:
    data = Mnist(root=str(mnist_root))
    assert accuracy(train(data.load("train")), data.load("test")) >= 0.995

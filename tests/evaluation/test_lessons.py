"""What a judge learns, and how well."""

from pathlib import Path

import pytest
import torch

from genctl.data.base import Images, Shape
from genctl.data.digits import Digits
from genctl.data.torchvision_sets import Mnist
from genctl.evaluation import lessons
from genctl.evaluation.judge import WIDTH, JudgeNetwork, look
from genctl.evaluation.lessons import accuracy, teach

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> tuple[Images, Images]:
    data = Digits(image_size=16)
    return data.load("train"), data.load("test")


@pytest.fixture(scope="module")
def judge(digits: tuple[Images, Images]) -> JudgeNetwork:
    return teach(digits[0], CPU, lambda share: None, looks=12_000)


def test_a_little_learning_names_most_digits(
    judge: JudgeNetwork, digits: tuple[Images, Images]
) -> None:
    assert accuracy(judge, digits[1]) > 0.95


def test_features_of_real_images_vary_by_the_same_in_all_judges(
    judge: JudgeNetwork, digits: tuple[Images, Images]
) -> None:
    variance = look(judge, digits[0].pixels).features.var(dim=0).mean()
    assert float(variance) == pytest.approx(lessons.VARIANCE, rel=1e-5)


def test_an_image_looks_the_same_alone_and_among_others(
    judge: JudgeNetwork, digits: tuple[Images, Images]
) -> None:
    pixels = digits[1].pixels
    among, alone = look(judge, pixels).features[7], look(judge, pixels[7:8]).features[0]
    assert torch.allclose(among, alone, atol=1e-5)


def test_another_seed_is_another_judge(digits: tuple[Images, Images]) -> None:
    first, same, other = (
        teach(digits[0], CPU, lambda share: None, seed=seed, looks=500).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(tensor.equal(same[name]) for name, tensor in first.items())
    assert not first["head.weight"].equal(other["head.weight"])


def test_learning_leaves_the_randomness_of_others_alone(digits: tuple[Images, Images]) -> None:
    before = torch.get_rng_state()
    teach(digits[0], CPU, lambda share: None, looks=500)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 32), (3, 32), (1, 64), (3, 256)])
def test_every_shape_of_image_can_be_judged(channels: int, size: int) -> None:
    network = JudgeNetwork(Shape(channels, size), 3).eval()
    features, logits = network(torch.zeros(2, channels, size, size))
    assert (features.shape, logits.shape) == ((2, WIDTH), (2, 3))


@pytest.mark.slow
def test_the_judge_of_digits_names_nearly_all(digits: tuple[Images, Images]) -> None:
    assert accuracy(teach(digits[0], CPU, lambda share: None), digits[1]) >= 0.99


@pytest.mark.slow
@pytest.mark.mnist
def test_the_judge_of_mnist_names_nearly_all(mnist_root: Path) -> None:
    data = Mnist(root=str(mnist_root))
    judge = teach(data.load("train"), CPU, lambda share: None)
    assert accuracy(judge, data.load("test")) >= 0.995

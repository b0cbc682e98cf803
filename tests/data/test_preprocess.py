"""A user's picture of a digit looks like the training images before it reaches the model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from genctl.data.base import Images, Shape
from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from genctl.data.pixels import fit_to_shape
from genctl.data.preprocess import Preprocessing, fit_preprocessing, preprocess
from genctl.data.torchvision_sets import Mnist

SHAPE = Shape(1, 16)
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def train() -> Images:
    return Digits(image_size=16).load("train")


@pytest.fixture(scope="module")
def test_images() -> Images:
    return Digits(image_size=16).load("test")


@pytest.fixture(scope="module")
def preprocessing(train: Images) -> Preprocessing:
    return fit_preprocessing(train, 8)


def draw_on_page(
    digit: Tensor,
    zoom: int,
    paper: int,
    ink: int,
    shade: int = 0,
    grain: int = 0,
    dust: int = 0,
) -> Image.Image:
    """A digit at a random place on a page, in the grey levels ``ink`` on ``paper``.

    Args:
        digit: (1, H, W).
        zoom: how many times larger the digit is on the page.
        shade: how much darker the page is at the right edge.
        grain: standard deviation of noise.
        dust: how many single pixels are black.
    """
    size = digit.shape[-1] * zoom
    large = np.asarray(tensor_to_pil(digit).resize((size, size), Image.Resampling.BICUBIC)) / 255
    page = np.zeros((400, 500))
    top, left = RANDOM.integers(page.shape[0] - size), RANDOM.integers(page.shape[1] - size)
    page[top : top + size, left : left + size] = large
    page = paper + (ink - paper) * page - shade * np.linspace(0, 1, page.shape[1])
    page += RANDOM.normal(0, 1, page.shape) * grain
    page[RANDOM.integers(page.shape[0], size=dust), RANDOM.integers(page.shape[1], size=dust)] = 0
    return Image.fromarray(page.clip(0, 255).astype(np.uint8))


PAGES = {
    "large on white": {"zoom": 10, "paper": 255, "ink": 0},
    "small on white": {"zoom": 4, "paper": 255, "ink": 0},
    "photograph": {"zoom": 10, "paper": 220, "ink": 90, "shade": 90, "grain": 8},
    "dusty": {"zoom": 10, "paper": 255, "ink": 0, "dust": 20},
    "white on black": {"zoom": 10, "paper": 0, "ink": 255},
}


@pytest.mark.parametrize("page", PAGES)
def test_a_digit_on_a_page_becomes_like_a_training_image(
    page: str, train: Images, test_images: Images, preprocessing: Preprocessing
) -> None:
    classifier = LogisticRegression(max_iter=300).fit(train.pixels.flatten(1) / 255, train.labels)
    chosen = slice(0, 100)
    processed, warnings = zip(
        *(
            preprocess(draw_on_page(one, **PAGES[page]), SHAPE, preprocessing)
            for one in test_images.pixels[chosen]
        ),
        strict=True,
    )
    pixels, labels = torch.stack(processed), test_images.labels[chosen]
    unprocessed = classifier.score(test_images.pixels[chosen].flatten(1) / 255, labels)
    assert classifier.score(pixels.flatten(1) / 255, labels) > unprocessed - 0.1
    assert unprocessed > 0.9
    difference = (pixels.float() - test_images.pixels[chosen].float()).abs().mean()
    assert difference < 0.4 * test_images.pixels[chosen].float().mean()
    assert {bool(warning) for warning in warnings} == {page != "white on black"}


def test_inverting_a_dark_digit_on_white_is_warned_of(
    test_images: Images, preprocessing: Preprocessing
) -> None:
    _, warnings = preprocess(draw_on_page(test_images.pixels[0], 10, 255, 0), SHAPE, preprocessing)
    assert warnings == ["light background, but the model was trained on a dark one: inverted"]


def test_a_light_digit_is_inverted_for_a_model_of_dark_ones(train: Images) -> None:
    dark = Images(255 - train.pixels, train.labels, train.classes)
    preprocessing = fit_preprocessing(dark, 8)
    assert preprocessing.background == 255
    _, warnings = preprocess(draw_on_page(train.pixels[0], 10, 0, 255), SHAPE, preprocessing)
    assert warnings == ["dark background, but the model was trained on a light one: inverted"]


@pytest.mark.parametrize("size", [8, 16])
def test_a_picture_of_native_size_is_treated_like_the_data(
    size: int, test_images: Images, preprocessing: Preprocessing
) -> None:
    native = Digits(image_size=8).load("test").pixels
    pixels = native if size == 8 else test_images.pixels
    for own, expected in zip(pixels[:50], test_images.pixels, strict=False):
        processed, warnings = preprocess(tensor_to_pil(own), SHAPE, preprocessing)
        assert torch.equal(processed, expected)
        assert warnings == []


def test_an_inverted_picture_of_native_size_is_restored(
    test_images: Images, preprocessing: Preprocessing
) -> None:
    for expected in test_images.pixels[:50]:
        processed, warnings = preprocess(tensor_to_pil(255 - expected), SHAPE, preprocessing)
        assert torch.equal(processed, expected)
        assert len(warnings) == 1


@pytest.mark.mnist
def test_mnist_digits_of_28_and_32_pixels_are_treated_like_the_data(mnist_root: Path) -> None:
    data = Mnist(root=str(mnist_root))
    images = data.load("test")
    preprocessing = fit_preprocessing(images, data.native_size)
    assert preprocessing.background == 0
    assert preprocessing.centre_by_mass
    assert preprocessing.content_size == pytest.approx(20 / 32, abs=0.04)  # according to LeCun
    for padded in images.pixels[:50]:
        for own in (padded, padded[:, 2:-2, 2:-2]):
            processed, _ = preprocess(tensor_to_pil(own), data.shape, preprocessing)
            assert torch.equal(processed, padded)


def test_photographs_are_cropped_to_the_centre_and_not_inverted() -> None:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (50, 1, 16, 16), generator=random).byte().repeat(1, 3, 1, 1)
    photographs = Images(pixels, torch.zeros(50).long(), ())
    preprocessing = fit_preprocessing(photographs, 0)
    assert preprocessing.background is None
    bright = Image.new("RGB", (48, 16), "white")
    bright.paste((200, 100, 50), (16, 0, 32, 16))
    processed, warnings = preprocess(bright, Shape(3, 16), preprocessing)
    assert processed[:, 8, 8].tolist() == [200, 100, 50]
    assert warnings == []


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_page_stays_of_one_level(level: int, preprocessing: Preprocessing) -> None:
    processed, _ = preprocess(Image.new("L", (300, 200), level), SHAPE, preprocessing)
    assert len(processed.unique()) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (3000, 20)])
def test_pictures_of_any_size_are_processed(
    size: tuple[int, int], preprocessing: Preprocessing
) -> None:
    picture = Image.effect_noise(size, 100) if min(size) > 1 else Image.new("L", size, 200)
    processed, _ = preprocess(picture, SHAPE, preprocessing)
    assert processed.shape == (1, 16, 16)


def test_a_small_difference_in_size_is_padded_and_a_larger_one_resized() -> None:
    pixels = torch.randint(256, (3, 1, 28, 28)).byte()
    padded = fit_to_shape(pixels, 1, 32)
    assert torch.equal(padded[..., 2:-2, 2:-2], pixels)
    assert int(padded.sum()) == int(pixels.sum())
    assert fit_to_shape(torch.full((1, 1, 8, 8), 99).byte(), 1, 32).unique().tolist() == [99]

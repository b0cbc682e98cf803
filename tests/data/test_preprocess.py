"""A user's picture of a digit reaches the model in the form of its training images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from genctl.data.base import Images, Shape
from genctl.data.digits import Digits
from genctl.data.fit import fit
from genctl.data.pictures import picture_of
from genctl.data.preprocess import Preprocessing, fit_preprocessing, frame
from genctl.data.torchvision_sets import Mnist

SHAPE = Shape(1, 16)
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def train() -> Images:
    return Digits(image_size=16).load("train")


@pytest.fixture(scope="module")
def held_out() -> Images:
    return Digits(image_size=16).load("test")


@pytest.fixture(scope="module")
def preprocessing(train: Images) -> Preprocessing:
    return fit_preprocessing(train, 8)


def on_page(
    digit: Tensor,
    zoom: int,
    paper: int,
    ink: int,
    shade: int = 0,
    grain: int = 0,
    dust: int = 0,
) -> Image.Image:
    """A digit somewhere on a page, in the greys of ``ink`` on ``paper``.

    Args:
        digit: (1, H, W).
        zoom: how much larger than the digit its picture is.
        shade: how much darker the page is at its right.
        grain: standard deviation of noise.
        dust: how many single pixels are black.
    """
    size = digit.shape[-1] * zoom
    large = np.asarray(picture_of(digit).resize((size, size), Image.Resampling.BICUBIC)) / 255
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
def test_a_digit_on_a_page_comes_back_as_it_was_learned(
    page: str, train: Images, held_out: Images, preprocessing: Preprocessing
) -> None:
    reader = LogisticRegression(max_iter=300).fit(train.pixels.flatten(1) / 255, train.labels)
    chosen = slice(0, 100)
    framed, notes = zip(
        *(
            frame(on_page(one, **PAGES[page]), SHAPE, preprocessing)
            for one in held_out.pixels[chosen]
        ),
        strict=True,
    )
    pixels, labels = torch.stack(framed), held_out.labels[chosen]
    unframed = reader.score(held_out.pixels[chosen].flatten(1) / 255, labels)
    assert reader.score(pixels.flatten(1) / 255, labels) > unframed - 0.1
    assert unframed > 0.9
    difference = (pixels.float() - held_out.pixels[chosen].float()).abs().mean()
    assert difference < 0.4 * held_out.pixels[chosen].float().mean()
    assert {bool(note) for note in notes} == {page != "white on black"}


def test_a_dark_digit_on_white_is_told(held_out: Images, preprocessing: Preprocessing) -> None:
    _, notes = frame(on_page(held_out.pixels[0], 10, 255, 0), SHAPE, preprocessing)
    assert notes == ["dark on light where the model learned light on dark: inverted"]


def test_a_light_digit_is_told_to_a_model_of_dark_ones(train: Images) -> None:
    dark = Images(255 - train.pixels, train.labels, train.classes)
    preprocessing = fit_preprocessing(dark, 8)
    assert preprocessing.background == 255
    _, notes = frame(on_page(train.pixels[0], 10, 0, 255), SHAPE, preprocessing)
    assert notes == ["light on dark where the model learned dark on light: inverted"]


@pytest.mark.parametrize("size", [8, 16])
def test_a_picture_of_native_size_passes_as_the_data_does(
    size: int, held_out: Images, preprocessing: Preprocessing
) -> None:
    native = Digits(image_size=8).load("test").pixels
    pixels = native if size == 8 else held_out.pixels
    for own, expected in zip(pixels[:50], held_out.pixels, strict=False):
        framed, notes = preprocess(picture_of(own), SHAPE, preprocessing)
        assert torch.equal(framed, expected)
        assert notes == []


def test_an_inverted_picture_of_native_size_is_turned_back(
    held_out: Images, preprocessing: Preprocessing
) -> None:
    for expected in held_out.pixels[:50]:
        framed, notes = preprocess(picture_of(255 - expected), SHAPE, preprocessing)
        assert torch.equal(framed, expected)
        assert len(notes) == 1


@pytest.mark.mnist
def test_mnist_digits_of_28_and_32_pass_as_the_data_does(mnist_root: Path) -> None:
    data = Mnist(root=str(mnist_root))
    images = data.load("test")
    preprocessing = fit_preprocessing(images, data.source_size)
    assert preprocessing.background == 0
    assert preprocessing.by_mass
    assert preprocessing.extent == pytest.approx(20 / 32, abs=0.04)  # as its makers say
    for padded in images.pixels[:50]:
        for own in (padded, padded[:, 2:-2, 2:-2]):
            framed, _ = preprocess(picture_of(own), data.shape, preprocessing)
            assert torch.equal(framed, padded)


def test_photographs_are_cut_to_their_middle_and_not_inverted() -> None:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (50, 1, 16, 16), generator=random).byte().repeat(1, 3, 1, 1)
    photographs = Images(pixels, torch.zeros(50).long(), ())
    preprocessing = fit_preprocessing(photographs, 0)
    assert preprocessing.background is None
    bright = Image.new("RGB", (48, 16), "white")
    bright.paste((200, 100, 50), (16, 0, 32, 16))
    framed, notes = frame(bright, Shape(3, 16), preprocessing)
    assert framed[:, 8, 8].tolist() == [200, 100, 50]
    assert notes == []


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_page_is_framed_as_one_level(level: int, preprocessing: Preprocessing) -> None:
    framed, _ = frame(Image.new("L", (300, 200), level), SHAPE, preprocessing)
    assert len(framed.unique()) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (3000, 20)])
def test_pictures_of_odd_sizes_are_framed(
    size: tuple[int, int], preprocessing: Preprocessing
) -> None:
    picture = Image.effect_noise(size, 100) if min(size) > 1 else Image.new("L", size, 200)
    framed, _ = preprocess(picture, SHAPE, preprocessing)
    assert framed.shape == (1, 16, 16)


def test_padding_keeps_pixels_and_larger_steps_resize() -> None:
    pixels = torch.randint(256, (3, 1, 28, 28)).byte()
    padded = fit(pixels, Shape(1, 32))
    assert torch.equal(padded[..., 2:-2, 2:-2], pixels)
    assert int(padded.sum()) == int(pixels.sum())
    assert fit(torch.full((1, 1, 8, 8), 99).byte(), Shape(1, 32)).unique().tolist() == [99]

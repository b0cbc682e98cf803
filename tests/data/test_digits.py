"""The embedded digits, which are always split the same way; classes and digests of images."""

import gzip
import shutil
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
import sklearn
import torch
from sklearn.datasets import load_digits

from genctl.common.errors import BadContent, MissingInput
from genctl.common.rng import torch_rng
from genctl.data import digits
from genctl.data.base import Images
from genctl.data.digits import Digits

GOLDEN = ["99f26d5b905c9990", "fdfb0bb38d66e381"]


@pytest.fixture(scope="module")
def splits() -> tuple[Images, Images]:
    data = Digits(image_size=8)
    return data.load("train"), data.load("test")


def test_the_test_split_has_thirty_digits_of_each_class(splits: tuple[Images, Images]) -> None:
    train, test = splits
    assert (len(train), len(test)) == (1497, 300)
    assert test.labels.bincount().tolist() == [30] * 10


def test_the_splits_together_are_the_digits_of_scikit_learn(splits: tuple[Images, Images]) -> None:
    found = [
        (label, *pixels.flatten().tolist())
        for images in splits
        for pixels, label in zip(images.pixels, images.labels.tolist(), strict=True)
    ]
    original = load_digits()
    expected = [
        (int(label), *(round(level * 255 / 16 + 1e-9) for level in pixels))
        for pixels, label in zip(original.data, original.target, strict=True)
    ]
    # Levels are sixteenths; half a level may be rounded either way.
    assert len(found) == len(expected)
    difference = torch.tensor(sorted(found)) - torch.tensor(sorted(expected))
    assert difference.abs().max() <= 1


def test_no_image_is_in_both_splits(splits: tuple[Images, Images]) -> None:
    train, test = ({tuple(one.flatten().tolist()) for one in part.pixels} for part in splits)
    assert not train & test


def test_the_splits_never_change(splits: tuple[Images, Images]) -> None:
    assert [images.digest()[:16] for images in splits] == GOLDEN


def test_a_digest_depends_on_every_pixel_label_and_class(splits: tuple[Images, Images]) -> None:
    images = splits[1]
    pixels, labels = images.pixels.clone(), images.labels.clone()
    pixels[299, 0, 7, 7] += 1
    labels[299] += 1
    others = [
        Images(pixels, images.labels, images.classes),
        Images(images.pixels, labels, images.classes),
        Images(images.pixels, images.labels, tuple("012345678x")),
        Images(images.pixels.transpose(0, 1), images.labels, images.classes),
    ]
    assert len({one.digest() for one in (images, *others)}) == 5


def test_every_other_image_of_the_same_class_is_equally_likely() -> None:
    labels = torch.tensor([0, 1, 0, 2, 1, 0, 0])  # class 2 has one image
    images = Images(torch.zeros(7, 1, 8, 8).byte(), labels, ("a", "b", "c"))
    index = torch.arange(7).repeat(3000)
    others = images.random_same_class(index, torch.rand(len(index), generator=torch_rng(0, "test")))
    counts = torch.zeros(7, 7).index_put_((index, others), torch.ones(()), accumulate=True)
    possible = [[2, 5, 6], [4], [0, 5, 6], [3], [1], [0, 2, 6], [0, 2, 5]]
    for own, allowed in enumerate(possible):
        assert counts[own].nonzero()[:, 0].tolist() == allowed
        share = counts[own, allowed] / 3000
        # Five standard deviations of a share of 3,000.
        assert (share - 1 / len(allowed)).abs().max() < 5 * (0.25 / 3000) ** 0.5


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The table of digits in a copy of scikit-learn, which a test may damage."""
    copy = tmp_path / "sklearn" / "datasets" / "data" / "digits.csv.gz"
    copy.parent.mkdir(parents=True)
    (tmp_path / "sklearn" / "__init__.py").touch()
    shutil.copy(Path(sklearn.__file__).parent / "datasets" / "data" / "digits.csv.gz", copy)
    monkeypatch.setattr(
        digits, "find_spec", lambda name: PathFinder.find_spec(name, [str(tmp_path)])
    )
    return copy


def test_a_table_that_is_compressed_otherwise_is_read(table: Path) -> None:
    table.write_bytes(gzip.compress(gzip.decompress(table.read_bytes()), compresslevel=1))
    assert Digits(image_size=8).load("train").digest()[:16] == GOLDEN[0]


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "not packed", "flipped bit"])
def test_a_damaged_table_is_refused(damage: str, table: Path) -> None:
    content = bytearray(table.read_bytes())
    match damage:
        case "missing":
            table.unlink()
        case "cut":
            table.write_bytes(content[:-100])
        case "changed":
            text = gzip.decompress(content)
            table.write_bytes(gzip.compress(text.replace(b"16", b"15", 1)))
        case "not packed":
            table.write_bytes(gzip.decompress(content))
        case "flipped bit":
            content[len(content) // 2] ^= 1
            table.write_bytes(content)
    with pytest.raises(BadContent, match=r"digits\.csv\.gz.*install scikit-learn again"):
        Digits().load("test")


def test_without_scikit_learn_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(MissingInput, match="pip install scikit-learn"):
        Digits().load("test")

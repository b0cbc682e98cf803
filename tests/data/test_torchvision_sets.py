"""MNIST and similar sets, from small files in torchvision's layout; nothing is downloaded."""

import hashlib
import os
import pickle
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from genctl.common.errors import BadContent, Unavailable
from genctl.data import torchvision_sets as sets
from genctl.data.cifar10 import Cifar10

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # a port without a server
    monkeypatch.delenv("no_proxy", raising=False)


def write_idx(path: Path, array: np.ndarray) -> None:
    """MNIST's format: type, number of dimensions, their sizes, the numbers."""
    kind = {"uint8": 8, "int32": 12}[str(array.dtype)]
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())


def write_pair(folder: Path, images: str, labels: str, numbers: np.ndarray) -> np.ndarray:
    """Write a file of random images and one of labels; returns the images."""
    pixels = RANDOM.integers(256, size=(len(numbers), 28, 28), dtype=np.uint8)
    write_idx(folder / images, pixels)
    write_idx(folder / labels, numbers)
    return pixels


@pytest.mark.mnist
def test_mnist_is_complete_and_padding_keeps_every_pixel(mnist_root: Path) -> None:
    raw = mnist_root / "MNIST" / "raw"
    for split, prefix, count in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        images = sets.Mnist(root=str(mnist_root)).load(split)  # type: ignore[arg-type]
        stored = np.fromfile(raw / f"{prefix}-images-idx3-ubyte", np.uint8)[16:]
        labels = np.fromfile(raw / f"{prefix}-labels-idx1-ubyte", np.uint8)[8:]
        assert images.pixels.shape == (count, 1, 32, 32)
        assert np.array_equal(images.pixels[:, 0, 2:-2, 2:-2].numpy().ravel(), stored)
        assert int(images.pixels.long().sum()) == int(stored.astype(np.int64).sum())
        assert np.array_equal(images.labels.numpy(), labels)
        assert images.classes == tuple("0123456789")


@pytest.mark.mnist
@pytest.mark.parametrize(
    ("kind", "dataset"), [(sets.Mnist, datasets.MNIST), (sets.FashionMnist, datasets.FashionMNIST)]
)
def test_verified_files_are_read_without_torchvision_as_torchvision_reads_them(
    kind: type[sets.VerifiedSet],
    dataset: type[datasets.MNIST],
    mnist_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not (mnist_root / kind.torchvision_class).exists():
        pytest.skip(f"no {kind.torchvision_class} in {mnist_root}: set GENCTL_DATA")
    expected = dataset(str(mnist_root), train=False)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError):
        sets.Kmnist(root=str(mnist_root)).load("test")
    settings = kind(kind=kind.model_fields["kind"].default, root=str(mnist_root))
    found = settings.load("test")
    assert torch.equal(found.pixels[:, 0, 2:-2, 2:-2], expected.data)
    assert torch.equal(found.labels, expected.targets)
    assert found.classes == tuple(name.split(" - ")[0] for name in expected.classes)


@pytest.mark.mnist
@pytest.mark.parametrize("damage", ["flipped bit", "cut", "wrong magic", "empty"])
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_damaged_mnist_file_is_refused_by_name(
    name: str, damage: str, mnist_root: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (mnist_root / "MNIST" / "raw").iterdir():
        (raw / path.name).symlink_to(path)
    content = bytearray((raw / name).read_bytes())
    (raw / name).unlink()
    match damage:
        case "flipped bit":
            content[len(content) // 2] ^= 1
        case "cut":
            del content[-1:]
        case "wrong magic":
            content[2] = 9
        case "empty":
            content.clear()
    (raw / name).write_bytes(content)
    with pytest.raises(BadContent, match=f"{name}.*MD5.*delete it"):
        sets.Mnist(root=str(tmp_path)).load("test")


def test_the_message_names_missing_files_and_a_preset_that_needs_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unavailable) as refused:
        sets.Mnist(root=str(tmp_path / "new")).load("test")
    message = str(refused.value)
    assert refused.value.exit_code == 69
    assert all(name in message for name in sets.Mnist.checksums)
    assert str(tmp_path / "new" / "MNIST" / "raw") in message
    assert "digits_cgan" in message
    assert "\n" not in message
    assert capfd.readouterr().out == ""


@pytest.mark.mnist
def test_one_missing_file_is_missing_data(mnist_root: Path, tmp_path: Path) -> None:
    shutil.copytree(mnist_root / "MNIST", tmp_path / "MNIST", copy_function=os.symlink)
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(Unavailable, match="t10k-labels-idx1-ubyte"):
        sets.Mnist(root=str(tmp_path)).load("test")


def test_kmnist_gives_its_images_labels_and_classes(tmp_path: Path) -> None:
    raw, labels = tmp_path / "KMNIST" / "raw", np.array([2, 0, 1, 2, 9], dtype=np.uint8)
    for split in ("train", "t10k"):
        pixels = write_pair(raw, f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte", labels)
    images = sets.Kmnist(root=str(tmp_path)).load("test")
    assert np.array_equal(images.pixels[:, 0, 2:-2, 2:-2].numpy(), pixels)
    assert images.labels.tolist() == labels.tolist()
    assert images.classes[:3] == ("o", "ki", "su")


def test_qmnist_takes_the_class_from_eight_numbers(tmp_path: Path) -> None:
    raw = tmp_path / "QMNIST" / "raw"
    numbers = np.arange(24, dtype=np.int32).reshape(3, 8) % 10
    pixels = write_pair(
        raw, "qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int", numbers
    )
    images = sets.Qmnist(root=str(tmp_path)).load("test")
    assert np.array_equal(images.pixels[:, 0, 2:-2, 2:-2].numpy(), pixels)
    assert images.labels.tolist() == [0, 8, 6]


def write_emnist(root: Path, subset: str, labels: list[int]) -> np.ndarray:
    raw = root / "EMNIST" / "raw"
    for split in ("train", "test"):
        stem = f"emnist-{subset}-{split}"
        numbers = np.array(labels, dtype=np.uint8)
        pixels = write_pair(raw, f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte", numbers)
    return pixels


def test_emnist_is_transposed_to_stand_upright(tmp_path: Path) -> None:
    pixels = write_emnist(tmp_path, "digits", [3, 1, 4])
    images = sets.Emnist(root=str(tmp_path), subset="digits").load("test")
    assert np.array_equal(images.pixels[:, 0, 2:-2, 2:-2].numpy(), pixels.transpose(0, 2, 1))
    assert images.labels.tolist() == [3, 1, 4]


def test_the_letters_of_emnist_start_at_a(tmp_path: Path) -> None:
    write_emnist(tmp_path, "letters", [1, 26, 2])
    images = sets.Emnist(root=str(tmp_path), subset="letters").load("test")
    assert [images.classes[label] for label in images.labels] == ["a", "z", "b"]
    assert len(images.classes) == 26


@pytest.fixture
def cifar_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Four images of CIFAR-10 (4, 3072), whose files are the data set for torchvision."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rows = RANDOM.integers(256, size=(4, 3072), dtype=np.uint8)
    batch = pickle.dumps({"data": rows, "labels": [3, 0, 9, 3]})
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    for name, content in (("test_batch", batch), ("batches.meta", meta)):
        (folder / name).write_bytes(content)
    sums = {name: hashlib.md5(content).hexdigest() for name, content in
            (("test_batch", batch), ("batches.meta", meta))}  # fmt: skip
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(
        datasets.CIFAR10, "meta",
        {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]},
    )  # fmt: skip
    return rows


def test_cifar10_keeps_its_colours(cifar_rows: np.ndarray, tmp_path: Path) -> None:
    images = Cifar10(root=str(tmp_path)).load("test")
    assert np.array_equal(images.pixels.numpy().reshape(4, 3072), cifar_rows)
    assert images.labels.tolist() == [3, 0, 9, 3]
    grey = Cifar10(root=str(tmp_path), channels=1).load("test")
    red, green, blue = cifar_rows[0].reshape(3, 1024)[:, 5].tolist()
    assert abs(int(grey.pixels[0, 0, 0, 5]) - (0.299 * red + 0.587 * green + 0.114 * blue)) <= 0.5


def test_a_damaged_file_of_cifar10_is_refused_and_not_replaced(
    cifar_rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    (folder / "test_batch").write_bytes(b"damaged")

    def download(dataset: datasets.CIFAR10) -> None:
        shutil.copytree(whole, Path(dataset.root) / "cifar-10-batches-py")

    monkeypatch.setattr(datasets.CIFAR10, "download", download)
    with pytest.raises(BadContent, match=r"damaged files .*; delete them"):
        Cifar10(root=str(tmp_path)).load("test")
    (folder / "test_batch").unlink()
    assert len(Cifar10(root=str(tmp_path)).load("test")) == len(cifar_rows)


def test_more_images_than_labels_are_refused(tmp_path: Path) -> None:
    raw = tmp_path / "KMNIST" / "raw"
    for split in ("train", "t10k"):
        numbers = np.zeros(5, dtype=np.uint8)
        write_pair(raw, f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte", numbers)
    write_idx(raw / "t10k-labels-idx1-ubyte", np.zeros(4, dtype=np.uint8))
    with pytest.raises(BadContent, match="5 images but 4 labels"):
        sets.Kmnist(root=str(tmp_path)).load("test")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\x00\x08", id="cut in its head"),
        pytest.param(b"\x00\x00\x08\x03" + b"\xff" * 40, id="huge sizes"),
        pytest.param(b"\x00\x00\x63\x03" + bytes(40), id="unknown type"),
        pytest.param(b"\x1f\x8b" + bytes(40), id="still packed"),
    ],
)
def test_damaged_files_without_known_checksums_are_refused(content: bytes, tmp_path: Path) -> None:
    raw = tmp_path / "KMNIST" / "raw"
    for split in ("train", "t10k"):
        numbers = np.zeros(5, dtype=np.uint8)
        write_pair(raw, f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte", numbers)
    (raw / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(BadContent, match=r"kmnist.*damaged.*delete"):
        sets.Kmnist(root=str(tmp_path)).load("test")


def test_grey_becomes_colour_by_repetition(tmp_path: Path) -> None:
    raw = tmp_path / "KMNIST" / "raw"
    for split in ("train", "t10k"):
        numbers = np.zeros(2, dtype=np.uint8)
        write_pair(raw, f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte", numbers)
    images = sets.Kmnist(root=str(tmp_path), channels=3, image_size=16).load("test")
    assert images.pixels.shape == (2, 3, 16, 16)
    assert torch.equal(images.pixels[:, 0], images.pixels[:, 2])

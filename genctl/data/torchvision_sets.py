"""MNIST and its kin, through torchvision's loaders and mirrors."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from genctl.common.errors import BadContent, Unavailable
from genctl.common.settings import Bookkeeping
from genctl.data.base import Data, Images, Root, Split
from genctl.data.handwriting import Strokes


class TorchvisionSet(Data):
    """A data set of torchvision; files that are missing are downloaded."""

    root: Annotated[Root | None, Bookkeeping()] = None
    """Folder of the data; else $GENCTL_DATA, else the user's data directory."""

    torchvision_class: ClassVar[str]
    native_size: ClassVar[int] = 28

    @property
    def folder(self) -> Path:
        """Where torchvision looks for files and downloads them to: its ``root``."""
        from platformdirs import user_data_path

        chosen = self.root or os.environ.get("GENCTL_DATA")
        return Path(chosen).expanduser() if chosen else user_data_path("genctl")

    @property
    def unpacked(self) -> Path:
        """The folder of the unpacked files."""
        return self.folder / self.torchvision_class / "raw"

    def local_path(self) -> Path | None:
        """The folder of the files, if there are any."""
        return self.unpacked if any(self.unpacked.glob("*")) else None

    def load(self, split: Split) -> Images:
        """All images of one split; missing files are downloaded first."""
        from genctl.data.pixels import fit_to_shape

        pixels, labels, classes = self._read(split)
        self._require_consistent(len(pixels), labels, classes)
        pixels = fit_to_shape(pixels, self.channels, self.image_size)
        return Images(pixels, labels, classes)

    def without_foreign_root(self) -> Self:
        """Without the root unless there is data: nothing is downloaded to a place it names."""
        known = self.root is None or self.local_path() is not None
        return self if known else self.model_copy(update={"root": None})

    def _require_consistent(self, count: int, labels: Any, classes: tuple[str, ...]) -> None:
        """Refuse images, labels and classes that do not belong together."""
        what = f"cannot use {self.kind} in {self.folder}"
        advice = "delete the files to download them again"
        if count != len(labels):
            raise BadContent(f"{what}: it has {count} images but {len(labels)} labels; {advice}")
        if not count:
            raise BadContent(f"{what}: it has no images; {advice}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
            raise BadContent(f"{what}: it has labels beyond its {len(classes)} classes; {advice}")

    def arguments(self, split: Split) -> dict[str, Any]:
        """The arguments of torchvision's class besides the folder."""
        return {"train": split == "train"}

    def _read(self, split: Split) -> tuple[Any, Any, tuple[str, ...]]:
        """Pixels (N, C, H, W) uint8, labels (N,) int64, and the names of the classes."""
        from torchvision import datasets

        dataset_class = getattr(datasets, self.torchvision_class)
        dataset = self._open(dataset_class, split)
        if dataset is None:
            self._download(dataset_class, split)
            dataset = self._open(dataset_class, split)
        if dataset is None:  # a download replaces no files
            raise BadContent(self._damaged("a checksum is wrong"))
        return self._unpack(dataset)

    def _download(self, dataset_class: Any, split: Split) -> None:
        from genctl.data.downloads import download

        def is_complete() -> bool:
            return self._open(dataset_class, split) is not None

        try:
            download(dataset_class, self.arguments(split), self.folder, is_complete)
        except (RuntimeError, OSError) as error:
            raise Unavailable(
                f"cannot download {self.kind}: {_reason(error)}; put {self._files()} into "
                f"{self.folder}, or train `--config digits_cgan`, which needs no download"
            ) from None

    def _open(self, dataset_class: Any, split: Split) -> Any:
        """The data set as torchvision reads it, or None where files of it are missing."""
        from genctl.data.downloads import without_legacy

        try:
            return without_legacy(dataset_class)(
                str(self.folder), download=False, **self.arguments(split)
            )
        except Exception as error:  # damaged files raise errors of every kind in its parsers
            if "Dataset not found" in str(error):
                return None
            raise BadContent(self._damaged(_reason(error))) from None

    def _damaged(self, reason: str) -> str:
        return (
            f"cannot read {self.kind} in {self.folder}: damaged files ({reason}); delete "
            "them to download them again"
        )

    def _files(self) -> str:
        return f"torchvision's files of {self.torchvision_class}"

    def _unpack(self, dataset: Any) -> tuple[Any, Any, tuple[str, ...]]:
        return dataset.data[:, None], dataset.targets.long(), _class_names(dataset.classes)


class VerifiedSet(TorchvisionSet):
    """A data set in MNIST's format whose unpacked files are known by their MD5."""

    checksums: ClassVar[dict[str, str]]  # MD5 of every unpacked file
    classes: ClassVar[tuple[str, ...]]

    def local_path(self) -> Path | None:
        """The folder of the files, if none is missing."""
        complete = all((self.unpacked / name).exists() for name in self.checksums)
        return self.unpacked if complete else None

    def verify(self) -> None:
        """Compare every file that is there with its MD5.

        Raises:
            BadContent: a file is not the data set's, or cannot be read.
        """
        for name, expected in self.checksums.items():
            path = self.unpacked / name
            if not path.exists():
                continue
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "md5").hexdigest()
            except OSError as error:
                raise BadContent(self._damaged(_reason(error))) from None
            if found != expected:
                raise BadContent(
                    f"cannot use {path}: its MD5 is {found}, not {expected}; delete it to "
                    "download it again"
                )

    def _read(self, split: Split) -> tuple[Any, Any, tuple[str, ...]]:
        """Read files that are there without torchvision, whose import takes over a second."""
        import torch

        self.verify()
        if self.local_path() is None:
            return super()._read(split)
        stem = "train" if split == "train" else "t10k"
        # The content is verified, so the headers are known to have 16 and 8 bytes.
        pixels = bytearray((self.unpacked / f"{stem}-images-idx3-ubyte").read_bytes()[16:])
        labels = bytearray((self.unpacked / f"{stem}-labels-idx1-ubyte").read_bytes()[8:])
        return (
            torch.frombuffer(pixels, dtype=torch.uint8).reshape(-1, 1, 28, 28),
            torch.frombuffer(labels, dtype=torch.uint8).long(),
            self.classes,
        )

    def _files(self) -> str:
        return f"{', '.join(self.checksums)} (unpacked, in {self.unpacked})"


class Mnist(Strokes, VerifiedSet):
    """LeCun et al. 1998: 60,000 and 10,000 handwritten digits; 28x28, padded to 32x32."""

    kind: Literal["mnist"] = "mnist"

    torchvision_class: ClassVar[str] = "MNIST"
    hub_name: ClassVar[str | None] = "ylecun/mnist"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    checksums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }


class FashionMnist(VerifiedSet):
    """Xiao et al. 2017: articles of clothing in ten classes."""

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    torchvision_class: ClassVar[str] = "FashionMNIST"
    license: ClassVar[str | None] = "MIT"
    hub_name: ClassVar[str | None] = "zalando-datasets/fashion_mnist"
    classes: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    checksums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }


class Kmnist(Strokes, TorchvisionSet):
    """Clanuwat et al. 2018: ten classes of cursive Japanese characters."""

    kind: Literal["kmnist"] = "kmnist"
    torchvision_class: ClassVar[str] = "KMNIST"
    license: ClassVar[str | None] = "CC-BY-SA-4.0"


class Qmnist(Strokes, TorchvisionSet):
    """Yadav and Bottou 2019: MNIST reconstructed, with 60,000 test digits."""

    kind: Literal["qmnist"] = "qmnist"
    torchvision_class: ClassVar[str] = "QMNIST"

    def _unpack(self, dataset: Any) -> tuple[Any, Any, tuple[str, ...]]:
        labels = dataset.targets
        labels = labels[:, 0] if labels.ndim == 2 else labels
        return dataset.data[:, None], labels.long(), tuple("0123456789")


class Emnist(Strokes, TorchvisionSet):
    """Cohen et al. 2017: handwritten letters and digits."""

    kind: Literal["emnist"] = "emnist"
    subset: Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"] = "balanced"
    """Which of the six subsets; torchvision calls it `split`."""

    torchvision_class: ClassVar[str] = "EMNIST"

    def arguments(self, split: Split) -> dict[str, Any]:
        """The subset as well."""
        return {"train": split == "train", "split": self.subset}

    def _unpack(self, dataset: Any) -> tuple[Any, Any, tuple[str, ...]]:
        labels = dataset.targets.long()
        classes = tuple(map(str, dataset.classes))
        if self.subset == "letters":  # counted from 1, with an empty class 0
            labels, classes = labels - 1, classes[1:]
        return dataset.data[:, None].transpose(2, 3).contiguous(), labels, classes


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:200]


def _class_names(classes: list[str]) -> tuple[str, ...]:
    """``7 - seven`` becomes ``7``, so that a class has a name of one word."""
    return tuple(name.split(" - ")[0] for name in classes)

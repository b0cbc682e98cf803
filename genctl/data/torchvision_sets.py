"""MNIST and its kin, through torchvision's loaders and mirrors."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from genctl.common.errors import BadContent, Unavailable
from genctl.common.settings import Bookkeeping
from genctl.data.base import Data, Images, Root, Split


class TorchvisionSet(Data):
    """A data set that torchvision knows; found files are used, missing ones downloaded."""

    root: Annotated[Root | None, Bookkeeping()] = None
    """Folder of the data; else $GENCTL_DATA, else the user's data directory."""

    torchvision_class: ClassVar[str]
    native_size: ClassVar[int] = 28

    @property
    def source_size(self) -> int:
        """The size torchvision gives."""
        return self.native_size

    @property
    def folder(self) -> Path:
        """Where the files are looked for and downloaded to."""
        from platformdirs import user_data_path

        chosen = self.root or os.environ.get("GENCTL_DATA")
        return Path(chosen).expanduser() if chosen else user_data_path("genctl")

    @property
    def unpacked(self) -> Path:
        """Where torchvision lays the files of this set."""
        return self.folder / self.torchvision_class / "raw"

    def found(self) -> Path | None:
        """The folder of its files, if there are any."""
        return self.unpacked if any(self.unpacked.glob("*")) else None

    def load(self, split: Split) -> Images:
        """All images of one split, downloaded first where they are missing."""
        from genctl.data.fit import fit

        self.verify()
        pixels, labels, classes = self._read(split)
        self._require_sense(len(pixels), labels, classes)
        return Images(fit(pixels, self.shape), labels, classes)

    def followed(self) -> Self:
        """Without a root where there is no data: nothing is downloaded to where a stranger says."""
        known = self.root is None or self.found() is not None
        return self if known else self.model_copy(update={"root": None})

    def verify(self) -> None:
        """Refuse files that are there but are not the data set, as it was downloaded."""
        from genctl.data.downloads import first_changed

        try:
            path = first_changed(self.folder, self.torchvision_class)
        except OSError as error:
            raise BadContent(self._damaged(error)) from None
        if path is not None:
            raise BadContent(
                f"cannot use {path}: it has changed since it was downloaded; delete it and it is "
                "downloaded again"
            )

    def _require_sense(self, count: int, labels: Any, classes: tuple[str, ...]) -> None:
        """Refuse what no data set can be."""
        what = f"cannot use {self.kind} in {self.folder}"
        way_out = "delete the files and they are downloaded again"
        if count != len(labels):
            raise BadContent(f"{what}: it has {count} images but {len(labels)} labels; {way_out}")
        if not count:
            raise BadContent(f"{what}: it has no images; {way_out}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
            raise BadContent(f"{what}: it has labels beyond its {len(classes)} classes; {way_out}")

    def arguments(self, split: Split) -> dict[str, Any]:
        """What torchvision's class is called with besides the folder."""
        return {"train": split == "train"}

    def _read(self, split: Split) -> tuple[Any, Any, tuple[str, ...]]:
        """Pixels (N, C, H, W) uint8, labels (N,) int64, and the names of the classes."""
        from torchvision import datasets

        return self._unpack(self._open(getattr(datasets, self.torchvision_class), split))

    def _open(self, dataset: Any, split: Split) -> Any:
        from genctl.data.downloads import download

        found = self._found(dataset, split)
        if found is None:
            try:
                download(
                    dataset,
                    self.arguments(split),
                    self.folder,
                    is_complete=lambda: self._found(dataset, split) is not None,
                    check=lambda root: self.model_copy(update={"root": str(root)}).verify(),
                )
            except (RuntimeError, OSError) as error:
                raise Unavailable(
                    f"cannot download {self.kind}: {_reason(error)}; put "
                    f"{self._files()} into {self.folder}, or train `--config digits_cgan`, which "
                    "needs no download"
                ) from None
            self.verify()
            found = self._found(dataset, split)
        return found

    def _found(self, dataset: Any, split: Split) -> Any:
        """The data set as torchvision reads it, or None where files of it are missing."""
        from genctl.data.downloads import without_legacy

        try:
            return without_legacy(dataset)(
                str(self.folder), download=False, **self.arguments(split)
            )
        except Exception as error:  # its parsers meet damage with errors of every kind
            if "Dataset not found" in str(error):
                return None
            raise BadContent(self._damaged(error)) from None

    def _damaged(self, error: Exception) -> str:
        return (
            f"cannot read {self.kind} in {self.folder}: damaged files ({_reason(error)}); delete "
            "them and they are downloaded again"
        )

    def _files(self) -> str:
        return f"torchvision's files of {self.torchvision_class}"

    def _unpack(self, found: Any) -> tuple[Any, Any, tuple[str, ...]]:
        return found.data[:, None], found.targets.long(), _class_names(found.classes)


class Mnist(TorchvisionSet):
    """LeCun et al. 1998: 60,000 and 10,000 handwritten digits; 28x28, padded to 32x32."""

    kind: Literal["mnist"] = "mnist"

    torchvision_class: ClassVar[str] = "MNIST"
    checksums: ClassVar[dict[str, str]] = {  # MD5 of the unpacked files
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }

    def found(self) -> Path | None:
        """The folder of its four files, if none is missing."""
        whole = all((self.unpacked / name).exists() for name in self.checksums)
        return self.unpacked if whole else None

    def verify(self) -> None:
        """Compare the content of every file that is there."""
        for name, expected in self.checksums.items():
            path = self.unpacked / name
            if not path.exists():
                continue
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "md5").hexdigest()
            except OSError as error:
                raise BadContent(self._damaged(error)) from None
            if found != expected:
                raise BadContent(
                    f"cannot use {path}: its MD5 is {found}, not {expected}; delete it and it is "
                    "downloaded again"
                )

    def _read(self, split: Split) -> tuple[Any, Any, tuple[str, ...]]:
        """Without torchvision where nothing is missing: loading it takes over a second."""
        if self.found() is None:
            return super()._read(split)
        import torch

        stem = "train" if split == "train" else "t10k"
        # They are verified, so what stands in front of the numbers is known.
        pixels = bytearray((self.unpacked / f"{stem}-images-idx3-ubyte").read_bytes()[16:])
        numbers = bytearray((self.unpacked / f"{stem}-labels-idx1-ubyte").read_bytes()[8:])
        return (
            torch.frombuffer(pixels, dtype=torch.uint8).reshape(-1, 1, 28, 28),
            torch.frombuffer(numbers, dtype=torch.uint8).long(),
            tuple("0123456789"),
        )

    def _files(self) -> str:
        return f"{', '.join(self.checksums)} (unpacked, in {self.unpacked})"


class FashionMnist(TorchvisionSet):
    """Xiao et al. 2017: articles of clothing in ten classes."""

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    torchvision_class: ClassVar[str] = "FashionMNIST"


class Kmnist(TorchvisionSet):
    """Clanuwat et al. 2018: ten classes of cursive Japanese characters."""

    kind: Literal["kmnist"] = "kmnist"
    torchvision_class: ClassVar[str] = "KMNIST"


class Qmnist(TorchvisionSet):
    """Yadav and Bottou 2019: MNIST rebuilt, with 60,000 test digits."""

    kind: Literal["qmnist"] = "qmnist"
    torchvision_class: ClassVar[str] = "QMNIST"

    def _unpack(self, found: Any) -> tuple[Any, Any, tuple[str, ...]]:
        labels = found.targets
        labels = labels[:, 0] if labels.ndim == 2 else labels
        return found.data[:, None], labels.long(), tuple("0123456789")


class Emnist(TorchvisionSet):
    """Cohen et al. 2017: handwritten letters and digits."""

    kind: Literal["emnist"] = "emnist"
    subset: Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"] = "balanced"
    """Which of the six divisions."""

    torchvision_class: ClassVar[str] = "EMNIST"

    def arguments(self, split: Split) -> dict[str, Any]:
        """The subset too."""
        return {"train": split == "train", "split": self.subset}

    def _unpack(self, found: Any) -> tuple[Any, Any, tuple[str, ...]]:
        labels = found.targets.long()
        classes = tuple(map(str, found.classes))
        if self.subset == "letters":  # counted from 1, with an empty class 0
            labels, classes = labels - 1, classes[1:]
        return found.data[:, None].transpose(2, 3).contiguous(), labels, classes


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:200]


def _class_names(classes: list[str]) -> tuple[str, ...]:
    """``7 - seven`` as ``7``, so that a class can be asked for by one word."""
    return tuple(name.split(" - ")[0] for name in classes)

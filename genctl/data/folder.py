"""Pictures of your own: a folder of images, or one folder for each class."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genctl.common.errors import BadContent, MissingInput
from genctl.data.base import Data, Images, Root, Split

if TYPE_CHECKING:
    from torch import Tensor


class Folder(Data):
    """All pictures below a folder; where it has subfolders, each is a class."""

    kind: Literal["folder"] = "folder"
    root: Root
    """The folder. Where it holds `train` and `test`, these are the two splits."""
    test_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Fraction of the pictures kept for testing, chosen by a hash of their names; unused where
    there are folders `train` and `test`."""

    def local_path(self) -> Path | None:
        """The folder, if there is one."""
        root = Path(self.root).expanduser()
        return root if root.is_dir() else None

    def load(self, split: Split) -> Images:
        """All pictures of one split, cropped to a square around the centre and resized."""
        import torch

        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise MissingInput(f"cannot read data.root {root}: not a folder; check the path")
        split_root = root / split
        has_splits = (root / "train").is_dir() and (root / "test").is_dir()
        paths, classes = _list(split_root if has_splits else root)
        if not has_splits:
            paths = [path for path in paths if self._split_of(path, root) == split]
        if not paths:
            raise BadContent(
                f"cannot use data.root {root}: it has no {split} pictures; put PNG or JPEG files "
                "there, in one folder for each class"
            )
        pixels = torch.stack([self._read(path) for path in paths])
        labels = [classes.index(path.parent.name) if classes else 0 for path in paths]
        return Images(pixels, torch.tensor(labels), classes)

    def _split_of(self, path: Path, root: Path) -> Split:
        """A function of the name alone, so that new pictures move none to the other split."""
        name = path.relative_to(root).as_posix().encode()
        share = int.from_bytes(hashlib.sha256(name).digest()[:4]) / 2**32
        return "test" if share < self.test_fraction else "train"

    def _read(self, path: Path) -> Tensor:
        from PIL import Image, ImageOps

        from genctl.data.pictures import pil_to_tensor, read_picture

        square = (self.image_size, self.image_size)
        picture = read_picture(path)
        fitted = ImageOps.fit(picture, square, Image.Resampling.LANCZOS)
        return pil_to_tensor(fitted, self.channels)


def _list(root: Path) -> tuple[list[Path], tuple[str, ...]]:
    from genctl.data.pictures import SUFFIXES

    classes = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    pattern = "*/*" if classes else "*"
    paths = sorted(path for path in root.glob(pattern) if path.suffix.lower() in SUFFIXES)
    return paths, classes

"""The embedded data: 1,797 handwritten digits of 8x8 pixels that come with scikit-learn.

They are the test part of Alpaydin and Kaynak's "Optical Recognition of Handwritten Digits", 1998.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from genctl.common.errors import BadContent, MissingInput
from genctl.data.base import Images, Split
from genctl.data.handwriting import Strokes

if TYPE_CHECKING:
    import numpy as np

TEST_PER_CLASS = 30
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"  # of the unpacked table


class Digits(Strokes):
    """Handwritten digits that need no download."""

    kind: Literal["digits"] = "digits"
    native_size: ClassVar[int] = 8
    license: ClassVar[str | None] = "CC-BY-4.0"

    def local_path(self) -> Path | None:
        """Scikit-learn's file."""
        return _table_path() if find_spec("sklearn") else None

    def load(self, split: Split) -> Images:
        """1,497 training images, or 300 test images: the same 30 of each class every time."""
        import numpy as np
        import torch

        from genctl.data.pixels import fit_to_shape

        table = _read_table()
        levels = torch.from_numpy(table[:, :-1]).reshape(-1, 1, 8, 8)  # 0 to 16
        pixels = levels * (255 / 16)
        labels = table[:, -1].astype(np.int64)
        order = np.random.default_rng(0).permutation(len(labels))
        is_test = np.zeros(len(labels), dtype=bool)
        for label in range(10):
            is_test[order[labels[order] == label][:TEST_PER_CLASS]] = True
        chosen = torch.from_numpy(is_test if split == "test" else ~is_test)
        return Images(
            fit_to_shape(pixels[chosen].round().byte(), self.channels, self.image_size),
            torch.from_numpy(labels)[chosen],
            tuple("0123456789"),
        )


def _table_path() -> Path:
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise MissingInput("cannot find the embedded digits: `pip install scikit-learn`")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _read_table() -> np.ndarray:
    """A row (65,) for each digit: its levels, 0 to 16, and its class.

    Read without importing scikit-learn, which would double the time to start.
    """
    import numpy as np

    path = _table_path()
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise BadContent(f"cannot use {path}: {error}; install scikit-learn again") from None
    if hashlib.sha256(text).hexdigest() != SHA256:
        raise BadContent(
            f"cannot use {path}: its SHA-256 is not the expected one; install scikit-learn again"
        )
    table: np.ndarray = np.loadtxt(text.decode().splitlines(), delimiter=",")
    return table

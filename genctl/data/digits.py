"""The embedded data: 1,797 handwritten digits of 8x8 pixels that scikit-learn carries.

They are the test part of Alpaydin and Kaynak's "Optical Recognition of Handwritten Digits", 1998.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genctl.common.errors import BadContent, MissingInput
from genctl.data.base import Data, Images, Split

if TYPE_CHECKING:
    import numpy as np

HELD_OUT_PER_CLASS = 30
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"  # of the unpacked table


class Digits(Data):
    """Handwritten digits, available everywhere without a download."""

    kind: Literal["digits"] = "digits"

    @property
    def source_size(self) -> int:
        """8."""
        return 8

    def found(self) -> Path | None:
        """Scikit-learn's file."""
        return _table_path() if find_spec("sklearn") else None

    def load(self, split: Split) -> Images:
        """1,497 digits to train on, or the 300 held out: 30 of each class, always the same."""
        import numpy as np
        import torch

        from genctl.data.fit import fit

        table = _read_table()
        levels = torch.from_numpy(table[:, :-1]).reshape(-1, 1, 8, 8)  # 0 to 16
        pixels = levels * (255 / 16)
        labels = table[:, -1].astype(np.int64)
        order = np.random.default_rng(0).permutation(len(labels))
        held_out = np.zeros(len(labels), dtype=bool)
        for label in range(10):
            held_out[order[labels[order] == label][:HELD_OUT_PER_CLASS]] = True
        chosen = torch.from_numpy(held_out if split == "test" else ~held_out)
        return Images(
            fit(pixels[chosen].round().byte(), self.shape),
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

    Scikit-learn itself is not loaded for it: that would take as long as all else at the start.
    """
    import numpy as np

    path = _table_path()
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise BadContent(f"cannot use {path}: {error}; install scikit-learn again") from None
    if hashlib.sha256(text).hexdigest() != SHA256:
        raise BadContent(f"cannot use {path}: its SHA-256 is another; install scikit-learn again")
    table: np.ndarray = np.loadtxt(text.decode().splitlines(), delimiter=",")
    return table

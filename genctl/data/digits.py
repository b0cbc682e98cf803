"""The embedded data: 1,797 handwritten digits of 8x8 pixels that scikit-learn carries.

They are the test part of Alpaydin and Kaynak's "Optical Recognition of Handwritten Digits", 1998.
"""

from __future__ import annotations

from typing import Literal

from genctl.data.base import Data, Images, Split

HELD_OUT_PER_CLASS = 30


class Digits(Data):
    """Handwritten digits, available everywhere without a download."""

    kind: Literal["digits"] = "digits"

    @property
    def source_size(self) -> int:
        """8."""
        return 8

    def load(self, split: Split) -> Images:
        """1,497 digits to train on, or the 300 held out: 30 of each class, always the same."""
        import numpy as np
        import torch
        from sklearn.datasets import load_digits

        from genctl.data.fit import fit

        digits = load_digits()
        pixels = torch.from_numpy(digits.images)[:, None] * (255 / 16)  # (N, 1, 8, 8)
        labels = digits.target.astype(np.int64)
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

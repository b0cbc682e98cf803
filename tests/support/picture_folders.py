"""Folders of pictures for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_picture(path: Path, level: int = 0, size: tuple[int, int] = (8, 8)) -> None:
    """A picture of one grey level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


def write_broken(path: Path) -> None:
    """A file that ends in the header of a PNG."""
    write_picture(path)
    path.write_bytes(path.read_bytes()[:40])


def write_photos(folder: Path, count: int, size: tuple[int, int] = (40, 30)) -> None:
    """Coloured pictures without any preference for left or right."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        levels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(levels).save(folder / f"{number}.png")


def write_arrows(folder: Path, count: int) -> None:
    """Dark wedges on white that all point to the right."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        levels = np.full((32, 32), 255, np.uint8)
        middle = int(rng.integers(12, 20))
        for column in range(4, 28):
            half = (28 - column) // 3
            levels[middle - half : middle + half + 1, column] = 0
        Image.fromarray(levels).save(folder / f"{number}.png")

"""Decoding the pictures of a folder with all cores, and laying them on one ground."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageOps

from genctl.common.errors import BadContent, MissingInput
from genctl.data.pictures import Ground, contrasting_ground, open_picture

if TYPE_CHECKING:
    from genctl.common.reporting import OnProgress

Resize = Literal["crop", "fit", "pad"]

PICTURES_PER_TASK = 32
GROUNDS: tuple[Ground, ...] = ("black", "white")
OVERSAMPLING = 2  # a JPEG is decoded at this many times the size at least


@dataclass(frozen=True)
class Pixels:
    """The pictures of a folder that could be read, and what is known about each."""

    pixels: np.ndarray  # (N, C, H, W) uint8: grey or RGB, then alpha where any is transparent
    index: np.ndarray  # (N,) int64: which picture of the listing each is
    sizes: np.ndarray  # (N, 2) int32: width and height of the file
    tint: np.ndarray  # (N,) uint8: largest difference between two channels of a pixel
    transparent: np.ndarray  # (N,) bool: in the file
    ground: np.ndarray  # (N,) uint8: 1 and 2 for GROUNDS, as suits it; 0 where none shows
    broken: dict[str, str]  # why a file cannot be read, by its name


@dataclass(frozen=True)
class _Picture:
    """One picture of the final size."""

    array: np.ndarray  # (H, W) or (H, W, 3 or 4) uint8
    size: tuple[int, int]
    transparent: bool
    ground: int


def read_pixels(
    root: Path, names: Sequence[str], size: int, resize: Resize, on_progress: OnProgress
) -> Pixels:
    """Read the pictures ``names`` below ``root``, each as ``size`` x ``size`` pixels."""
    found: list[_Picture | str] = []

    def task(first: int) -> list[_Picture | str]:
        some = names[first : first + PICTURES_PER_TASK]
        return [_read(root / name, size, resize) for name in some]

    # Pillow's decoders release the interpreter's lock: threads use all cores.
    pool = ThreadPoolExecutor(_cores())
    try:
        for pictures in pool.map(task, range(0, len(names), PICTURES_PER_TASK)):
            found += pictures
            on_progress(len(found) / len(names))
    finally:  # also when a signal ends the work
        pool.shutdown(cancel_futures=True)
    broken = {name: one for name, one in zip(names, found, strict=True) if isinstance(one, str)}
    index = [number for number, one in enumerate(found) if not isinstance(one, str)]
    return _stacked([one for one in found if not isinstance(one, str)], index, size, broken)


def compose(pixels: Pixels, channels: int, ground: Ground | Literal["auto"]) -> np.ndarray:
    """The pictures (N, channels, H, W) uint8, all on one ground.

    Args:
        pixels: what was read.
        channels: 1 or 3.
        ground: ``auto`` is the one that suits more of them.
    """
    array = pixels.pixels
    alpha = array.shape[1] in (2, 4)
    colours = array.shape[1] - alpha
    if not alpha and colours == channels:
        return array
    level = 255 if (likely_ground(pixels) if ground == "auto" else ground) == "white" else 0
    composed = np.empty((len(array), channels, *array.shape[2:]), np.uint8)
    for first in range(0, len(array), 1024):  # bounds the memory
        part = array[first : first + 1024]
        levels = part[:, :colours]
        if alpha:
            cover = part[:, colours:].astype(np.uint16)
            levels = ((levels * cover + level * (255 - cover) + 127) // 255).astype(np.uint8)
        composed[first : first + 1024] = _as_channels(levels, channels)
    return composed


def likely_ground(pixels: Pixels) -> Ground:
    """The ground that suits more of the pictures in which one shows; else black."""
    votes = np.bincount(pixels.ground, minlength=3)[1:]
    return GROUNDS[int(votes.argmax())]


def _read(path: Path, size: int, resize: Resize) -> _Picture | str:
    """A picture of the final size, or why it cannot be read."""
    try:
        picture = open_picture(path, OVERSAMPLING * size)
        with Image.open(path) as header:
            full = header.size
    except (BadContent, MissingInput) as error:
        return str(error).partition(f"{path}: ")[2].partition(";")[0] or str(error)
    if (picture.width > picture.height) != (full[0] > full[1]):  # its camera was turned
        full = full[::-1]
    transparent = picture.mode == "RGBA"
    ground = 1 + GROUNDS.index(contrasting_ground(picture)) if transparent else 0
    square = (size, size)
    match resize:
        case "crop":
            fitted = ImageOps.fit(picture, square, Image.Resampling.LANCZOS)
        case "fit":
            fitted = picture.resize(square, Image.Resampling.LANCZOS)
        case "pad":
            if picture.width != picture.height and not transparent:
                ground = 1 + GROUNDS.index(_ground_at_border(picture))
            fitted = _padded(picture, square)
    return _Picture(np.asarray(fitted), full, transparent, ground)


def _padded(picture: Image.Image, square: tuple[int, int]) -> Image.Image:
    """The whole picture in the middle of a transparent square."""
    contained = ImageOps.contain(picture, square, Image.Resampling.LANCZOS)
    if contained.size == square:
        return contained
    canvas = Image.new("RGBA", square)
    left, top = (square[0] - contained.width) // 2, (square[1] - contained.height) // 2
    canvas.paste(contained.convert("RGBA"), (left, top))
    return canvas


def _ground_at_border(picture: Image.Image) -> Ground:
    grey = np.asarray(picture.convert("L"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return "white" if np.median(border) > 127 else "black"


def _stacked(
    pictures: list[_Picture], index: list[int], size: int, broken: dict[str, str]
) -> Pixels:
    """The pictures as one array, in the smallest layout that all of them fit into."""
    tint = np.array([_tint(one.array) for one in pictures], np.uint8)
    colours = 3 if tint.any() else 1
    alpha = any(one.array.shape[2:] == (4,) for one in pictures)
    array = np.empty((len(pictures), colours + alpha, size, size), np.uint8)
    for number, one in enumerate(pictures):
        planes = one.array[None] if one.array.ndim == 2 else one.array.transpose(2, 0, 1)
        array[number, :colours] = planes[:colours] if len(planes) > 1 else planes
        if alpha:
            array[number, colours] = planes[3] if len(planes) == 4 else 255
    return Pixels(
        array,
        np.array(index, np.int64),
        np.array([one.size for one in pictures], np.int32).reshape(-1, 2),
        tint,
        np.array([one.transparent for one in pictures], bool),
        np.array([one.ground for one in pictures], np.uint8),
        broken,
    )


def _tint(array: np.ndarray) -> int:
    if array.ndim == 2:
        return 0
    colours = array[..., :3]
    if array.shape[2] == 4:
        colours = colours[array[..., 3] > 0]
    if not colours.size:
        return 0
    spread = colours.max(axis=-1) - colours.min(axis=-1)
    return int(spread.max())


def _as_channels(levels: np.ndarray, channels: int) -> np.ndarray:
    """Grey to colour by repetition, colour to grey by luma, rounded as Pillow does."""
    if levels.shape[1] == channels:
        return levels
    if channels == 3:
        return np.repeat(levels, 3, axis=1)
    red, green, blue = levels.astype(np.uint32).transpose(1, 0, 2, 3)
    grey: np.ndarray = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return grey[:, None].astype(np.uint8)


def _cores() -> int:
    """The cores that this process may use; not every system tells them from all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

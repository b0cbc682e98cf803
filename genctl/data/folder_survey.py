"""What a folder of pictures holds: what a config for it depends on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from genctl.common.errors import BadContent, BrokenFiles
from genctl.data.folder import Folder
from genctl.data.folder_images import MIN_PICTURES
from genctl.data.folder_pixels import Pixels, Resize, compose, likely_ground
from genctl.data.pictures import FORMATS, Ground

if TYPE_CHECKING:
    from genctl.common.reporting import Reporter

MIN_SIZE, MAX_SIZE = 16, 64
"""Image sizes that are chosen; larger ones take a GPU, and are for those who ask for them."""
MAX_HEADERS = 500  # files whose size is read before all are decoded
SQUARE = 1.03  # longer to shorter side of what counts as square
GREY_TINT = 16  # largest difference between channels of what counts as grey
PLAIN_RANGE = 16  # levels around black or white that count as an empty border
MIN_PLAIN = 0.7  # share of border pixels that are plain around drawings; content reaches some
MIN_PER_CLASS = 20  # pictures of which a mean is taken
MAX_MEASURED = 20_000  # pictures that symmetry is measured on


@dataclass(frozen=True)
class Survey:
    """What lies in a folder, and the image size and way of resizing that suit it."""

    root: Path
    image_size: int
    resize: Resize
    count: int  # pictures that can be read, without those in the folder test
    test_count: int  # pictures in the folder test, where there are the folders train and test
    class_counts: dict[str, int]  # of ``count``, by class, in the order of classes
    has_captions: bool
    notes: tuple[str, ...]  # what was left out, with its count
    smallest: tuple[int, int]  # width and height
    largest: tuple[int, int]
    shorter_side: int  # the median
    square: bool  # whether nearly all are
    coloured: float  # share of pictures with colours
    transparent: int
    ground: Ground
    plain: float  # share of border pixels that are nearly ``ground``
    duplicates: int  # pictures that are identical to another one at ``image_size``
    asymmetry: float
    """How far pictures differ from their mirror images beyond chance: the distance between the mean
    picture of a class and its mirror image, in standard deviations of the class."""
    broken: dict[str, str]  # why a file cannot be read, by its name


def survey(root: Path, size: int | None, max_broken: float, reporter: Reporter) -> Survey:
    """Look at every picture of a folder.

    Args:
        root: the folder.
        size: the image size; None to choose one.
        max_broken: share of broken files that is accepted.
        reporter: shows the progress.

    Raises:
        MissingInput: it is not a folder, or cannot be read.
        BadContent: it has fewer than two pictures, or too many broken ones.
    """
    from genctl.data.folder_listing import list_folder

    listing = list_folder(root, "auto")
    names = [one.file.name for one in listing.pictures]
    sizes, transparent = _headers(root, names)
    if not len(sizes):  # none can be opened: reading them tells why
        sizes = np.array([[MIN_SIZE, MIN_SIZE]])
    image_size = size or _nearest_size(float(np.median(sizes.min(axis=1))))
    square = _are_square(sizes)
    resize: Resize = "pad" if not square and transparent > 0.5 else "crop"
    pixels = _read(root, image_size, resize, reporter)
    _refuse(root, pixels, len(names), max_broken)
    ground, plain = _border(pixels)
    if resize == "crop" and not square and plain > MIN_PLAIN:
        resize = "pad"  # an empty border: cropping would cut into the content
        pixels = _read(root, image_size, resize, reporter)
    listed = [listing.pictures[number] for number in pixels.index]
    labels = [one.label for one in listed]
    counts = Counter(one.label for one in listed if one.split != "test")
    grey = compose(pixels, 1, ground)
    area = pixels.sizes.astype(np.int64).prod(axis=1)
    return Survey(
        root,
        image_size,
        resize,
        counts.total(),
        len(listed) - counts.total(),
        {name: counts[name] for name in listing.classes},
        listing.has_captions,
        listing.notes,
        _pair(pixels.sizes[area.argmin()]),
        _pair(pixels.sizes[area.argmax()]),
        int(np.median(pixels.sizes.min(axis=1))),
        square,
        float((pixels.tint > GREY_TINT).mean()),
        int(pixels.transparent.sum()),
        ground,
        plain,
        len(pixels.index) - len({hashlib.sha256(one.tobytes()).digest() for one in pixels.pixels}),
        asymmetry(grey[:, 0], labels),
        pixels.broken,
    )


def asymmetry(grey: np.ndarray, labels: Sequence[str | None]) -> float:
    """See ``Survey.asymmetry``.

    Args:
        grey: pictures (N, H, W).
        labels: their classes (N,).
    """
    chosen = np.linspace(0, len(grey) - 1, min(len(grey), MAX_MEASURED)).astype(int)
    levels = grey[chosen].astype(np.float32)
    names = np.array([labels[number] or "" for number in chosen])
    parts = [levels[names == name] for name in np.unique(names)]
    parts = [part for part in parts if len(part) >= MIN_PER_CLASS] or [levels]
    distances, variances = 0.0, 0.0
    for part in parts:
        mean, variance = part.mean(axis=0), part.var(axis=0)
        difference = mean - mean[:, ::-1]
        by_chance = 2 * variance / len(part)
        distances += max(float((difference**2 - by_chance).mean()), 0.0) * len(part)
        variances += float(variance.mean()) * len(part)
    return float(np.sqrt(distances / variances)) if variances else 0.0


def _headers(root: Path, names: Sequence[str]) -> tuple[np.ndarray, float]:
    """Sizes (M, 2) of some pictures, and the share that can be transparent; nothing is decoded."""
    sizes, transparent = [], 0
    for number in np.linspace(0, len(names) - 1, min(len(names), MAX_HEADERS)).astype(int):
        try:
            with Image.open(root / names[number], formats=FORMATS) as picture:
                sizes.append(picture.size)
                transparent += "A" in picture.getbands() or "transparency" in picture.info
        except Exception:  # broken files are found, and told, when all are decoded
            continue
    return np.array(sizes), transparent / max(len(sizes), 1)


def _nearest_size(side: float) -> int:
    power = 2 ** round(float(np.log2(max(side, 1))))
    return int(min(max(power, MIN_SIZE), MAX_SIZE))


def _are_square(sizes: np.ndarray) -> bool:
    return float((sizes.max(axis=1) <= SQUARE * sizes.min(axis=1)).mean()) > 0.9


def _read(root: Path, size: int, resize: Resize, reporter: Reporter) -> Pixels:
    return Folder(root=str(root), image_size=size, resize=resize).read(reporter)[1]


def _refuse(root: Path, pixels: Pixels, count: int, max_broken: float) -> None:
    """Refuse a folder that cannot be trained on."""
    if len(pixels.broken) > max_broken * count:
        raise BrokenFiles(
            f"cannot use {root}: {len(pixels.broken):,} of {count:,} pictures are broken; "
            "delete them",
            pixels.broken,
        )
    if count < MIN_PICTURES:
        raise BadContent(
            f"cannot use {root}: it has {count} picture, and training needs more; add some"
        )


def _border(pixels: Pixels) -> tuple[Ground, float]:
    """The ground of the pictures, and the share of border pixels that are nearly that."""
    has_ground = pixels.ground.any()
    grey = compose(pixels, 1, "auto")[:, 0]
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    shares = {
        "black": float((border < PLAIN_RANGE).mean()),
        "white": float((border > 255 - PLAIN_RANGE).mean()),
    }
    more: Ground = "white" if shares["white"] > shares["black"] else "black"
    ground = likely_ground(pixels) if has_ground else more
    return ground, shares[ground]


def _pair(size: np.ndarray) -> tuple[int, int]:
    return int(size[0]), int(size[1])

"""From the pictures of a folder to training images and test images."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from genctl.common.errors import BadContent, BrokenFiles
from genctl.data.base import Images, Split
from genctl.data.folder_listing import Listed, Listing, counted
from genctl.data.folder_pixels import Pixels, compose

if TYPE_CHECKING:
    from genctl.common.reporting import Reporter
    from genctl.data.pictures import Ground

UNEVEN = 10  # times as many pictures in the largest class as in the smallest are worth a warning
MIN_PICTURES = 2


@dataclass(frozen=True)
class ImageOptions:
    """The settings of ``Folder`` with the same names."""

    channels: int
    ground: Ground | Literal["auto"]
    test_fraction: float
    mirror: bool
    even_classes: bool
    max_broken: float


def split_images(
    options: ImageOptions, listing: Listing, pixels: Pixels, reporter: Reporter
) -> dict[Split, Images]:
    """The images to train on and to test on; there may be none.

    Raises:
        BadContent: too many files are broken.
    """
    _refuse_broken(options, listing, pixels)
    used = [listing.pictures[number] for number in pixels.index]
    is_test = _is_test(used, options.test_fraction)
    _report(options, listing, used, pixels, reporter)
    composed = torch.from_numpy(compose(pixels, options.channels, options.ground))
    label_of = {name: label for label, name in enumerate(listing.classes)}
    labels = torch.tensor([label_of[one.label] if one.label is not None else 0 for one in used])

    def images(chosen: np.ndarray, mirror: bool) -> Images:
        index = torch.from_numpy(chosen)
        captions = [used[number].caption for number in chosen] if listing.has_captions else []
        part, own = composed[index], labels[index]
        if mirror:
            part, own = torch.cat([part, part.flip(-1)]), own.repeat(2)
            captions *= 2
        return Images(part, own, listing.classes, captions=tuple(captions))

    train = images(np.flatnonzero(~is_test), options.mirror)
    if options.even_classes and listing.classes:
        train = Images(
            train.pixels,
            train.labels,
            train.classes,
            captions=train.captions,
            epoch=_even_epoch(train.labels),
        )
    return {"train": train, "test": images(np.flatnonzero(is_test), mirror=False)}


def _even_epoch(labels: torch.Tensor) -> torch.Tensor:
    """Indices that visit each class as often as the largest, each picture about equally often."""
    classes = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    most = max(map(len, classes))
    return torch.cat([members.repeat(-(-most // len(members)))[:most] for members in classes])


def _is_test(used: list[Listed], test_fraction: float) -> np.ndarray:
    """Which pictures are tested on, (N,).

    Without folders ``train`` and ``test`` that is a function of the name alone, so that new
    pictures move none to the other split. But there is at least one, and each class has at least
    one to train on.
    """
    if used and used[0].split is not None:
        return np.array([one.split == "test" for one in used])
    shares = np.array([_share(one.file.name) for one in used])
    is_test = shares < test_fraction
    if test_fraction and len(used) >= MIN_PICTURES and not is_test.any():
        is_test[shares.argmin()] = True
    names = np.array([one.label or "" for one in used])
    for name in np.unique(names[is_test]):
        members = np.flatnonzero(names == name)
        if is_test[members].all() and (len(members) > 1 or is_test.sum() > 1):
            is_test[members[shares[members].argmax()]] = False
    return is_test


def _share(name: str) -> float:
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:4]) / 2**32


def require_images(images: Images, split: Split, root: str, test_fraction: float) -> None:
    """Refuse a split without pictures.

    Raises:
        BadContent: it has none.
    """
    if len(images):
        return
    what = f"cannot use data.root {root}: it has no {split} pictures"
    if split == "test" and not test_fraction:
        raise BadContent(f"{what}; set data.test_fraction to more than 0")
    raise BadContent(f"{what}; at least {MIN_PICTURES} are needed, one of them to test on")


def _refuse_broken(options: ImageOptions, listing: Listing, pixels: Pixels) -> None:
    """Refuse a folder with too many broken files.

    Raises:
        BrokenFiles: listing them.
    """
    broken, count = pixels.broken, len(listing.pictures)
    if len(broken) <= options.max_broken * count:
        return
    raise BrokenFiles(
        f"cannot use data.root {listing.root}: {len(broken):,} of {count:,} pictures are broken, "
        f"and data.max_broken allows {options.max_broken:.0%}; delete them, or allow more",
        broken,
    )


def _report(
    options: ImageOptions, listing: Listing, used: list[Listed], pixels: Pixels, reporter: Reporter
) -> None:
    """Say what is left out, and what makes training hard."""
    if listing.notes:
        reporter.info(f"{listing.root}: left out {', '.join(listing.notes)}")
    if pixels.broken:
        names = "; ".join(f"{name}: {why}" for name, why in pixels.broken.items())
        reporter.warn(f"left out {counted(len(pixels.broken), 'broken picture(s)')}: {names}")
    counts = dict.fromkeys(listing.classes, 0)
    for one in used:
        if one.label is not None:
            counts[one.label] += 1
    if counts and not options.even_classes:
        least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        if counts[most] > UNEVEN * counts[least]:
            reporter.warn(
                f"classes of very different size: {most} has {counts[most]:,} pictures, {least} "
                f"{counts[least]:,}; data.even_classes=true shows all equally often"
            )

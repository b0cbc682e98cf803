"""The sample grids of runs, chosen, and encoded for a page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from genctl.common.errors import GenctlError
from genctl.data.pictures import read_picture

if TYPE_CHECKING:
    from PIL import Image

MIN_SIDE = 640  # pixels; smaller grids are enlarged, so that browsers do not blur them
MAX_SIDE = 1280  # pixels; larger grids are made smaller, and compressed with loss
QUALITY = 85  # of WebP

Notify = Callable[[str], None]
Item = TypeVar("Item")


@dataclass(frozen=True)
class EmbeddedGrid:
    """A sample grid inside a page."""

    images: int  # real images seen in training
    uri: str
    width: int
    height: int


def evenly(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most ``most`` of the items (2 or more), evenly chosen, with the first and the last."""
    if len(items) <= most:
        return items
    return [items[round(number * (len(items) - 1) / (most - 1))] for number in range(most)]


def read_grids(
    grids: Sequence[tuple[int, Path]], most: int, warn: Notify
) -> list[tuple[int, Image.Image]]:
    """Read at most ``most`` sample grids; one that cannot be read is left out, with a warning."""
    found = []
    for images, path in evenly(grids, most):
        try:
            found.append((images, read_picture(path)))
        except GenctlError as error:  # the others can still be shown
            warn(str(error))
    return found


def embed(images: int, picture: Image.Image) -> EmbeddedGrid:
    """Encode a sample grid as a data URI: WebP, without loss unless it is very large."""
    from PIL import Image

    side = max(picture.size)
    buffer = io.BytesIO()
    if side > MAX_SIDE:
        small = picture.copy()
        small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        small.convert("RGB").save(buffer, "WEBP", quality=QUALITY)
        picture = small
    else:
        zoom = math.ceil(MIN_SIDE / side)
        size = (picture.width * zoom, picture.height * zoom)
        picture = picture.resize(size, Image.Resampling.NEAREST)
        picture.convert("RGB").save(buffer, "WEBP", lossless=True, method=4)
    text = base64.b64encode(buffer.getvalue()).decode()
    return EmbeddedGrid(images, f"data:image/webp;base64,{text}", picture.width, picture.height)

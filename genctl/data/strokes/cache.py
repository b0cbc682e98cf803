"""The measures of a data set, kept in the user's cache folder: measuring takes some seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genctl.common import tensors
from genctl.common.errors import BadContent, CannotCreate, MissingInput, WriteFailed
from genctl.common.files import cache_folder, make_folder
from genctl.data.strokes.measures import measure
from genctl.data.strokes.names import MEASURES

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.base import Images

VERSION = 1
"""Increased whenever the measures change."""
MIN_CACHED = 5000  # images; fewer are measured in less than a second


def cached_measures(images: Images) -> Tensor:
    """``measure`` of all images, (N, 4), from the cache where they are known.

    A cache that cannot be read or written is done without: the measures are the same.
    """
    if len(images) < MIN_CACHED:
        return measure(images.pixels)
    path = cache_folder() / "strokes" / f"{images.digest()[:16]}-v{VERSION}.safetensors"
    try:
        content, _, _ = tensors.read(path, "strokes")
        known = content.get("measures")
        if known is not None and known.shape == (len(images), len(MEASURES)):
            return known
    except (MissingInput, BadContent):
        pass  # measured and written again
    measures = measure(images.pixels)
    try:
        make_folder(path.parent)
        tensors.write(path, {"measures": measures}, {"kind": "strokes", "version": VERSION})
    except (CannotCreate, WriteFailed):
        pass  # measured again at the next start
    return measures

"""A map of codes in two dimensions, with the images as markers."""

from __future__ import annotations

import colorsys
import math

import torch
from PIL import Image, ImageOps
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.data.pictures import pil_to_tensor, png, tensor_to_pil
from genctl.inference.encoding import EncodedImages

MAP_SIDE = 1200  # pixels
MIN_MARKER, MAX_MARKER = 24, 64  # pixels of an image on the map
FRAME = 2  # pixels


def plot(encoded: EncodedImages) -> bytes:
    """A PNG with each image at the first two principal components of its code.

    Where labels are known, each class has a frame of its own colour.

    Raises:
        UsageError: there are fewer than 3 images.
    """
    if len(encoded.codes) < 3:
        raise UsageError(f"--plot: needs at least 3 images, found {len(encoded.codes)}")
    components = _principal_components(encoded.codes)
    extent = components.amax(dim=0) - components.amin(dim=0)
    places = (components - components.amin(dim=0)) / extent.clamp(min=1e-12)  # (N, 2) in [0, 1]
    canvas = Image.new("RGB", (MAP_SIDE, MAP_SIDE), "white")
    # Large enough to recognize, small enough that many do not cover each other.
    side = int(min(max(MAP_SIDE / math.sqrt(len(places)) / 1.4, MIN_MARKER), MAX_MARKER))
    for number, (x, y) in enumerate(places.tolist()):
        marker = tensor_to_pil(encoded.pixels[number]).convert("RGB").resize((side, side))
        if encoded.labels is not None:
            colour = _colour(encoded.labels[number])
            marker = ImageOps.expand(ImageOps.crop(marker, FRAME), FRAME, colour)
        room = MAP_SIDE - side
        canvas.paste(marker, (round(x * room), round((1 - y) * room)))
    return png(pil_to_tensor(canvas, 3))


def _principal_components(codes: Tensor) -> Tensor:
    """The first two principal components (N, 2) of codes (N, code_dim)."""
    centred = codes - codes.mean(dim=0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors  # by rising variance
    components = centred @ directions[:, -2:].flip(1)
    return torch.nn.functional.pad(components, (0, 2 - components.shape[1]))


def _colour(label: int) -> tuple[int, int, int]:
    """A hue for each class; those of neighbouring labels lie a golden angle apart."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.9, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)

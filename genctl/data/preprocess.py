"""Making a user's picture look like the images that a model was trained on.

What those look like was measured on the training images: whether they share a background, how large
their content is, and how it is centred. A scan of a pen stroke on white paper reaches a model of
MNIST as a white digit of the right size in the middle of a black image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from pydantic import Field
from torch import Tensor

from genctl.data.base import Images, Shape
from genctl.data.pictures import pil_to_tensor
from genctl.data.pixels import pad_or_resize

MAX_MEASURED = 2000  # images
MIN_CONTRAST = 64  # levels from the background at which a pixel of a training image is content
MIN_PAGE_CONTRAST = 16  # the same for a user's picture, which may be faint
MIN_CONTENT_SIZE = 0.1  # of the image's side
MAX_CENTRE_SPREAD = 0.02  # of the image's side, if images are centred by their centre of mass
MIN_DENOISED = 128  # pixels on the shorter side; smaller pictures may have strokes of one pixel
MAX_SIDE = 2048  # pixels; more do not help to find content that ends up as 256 or fewer


@dataclass(frozen=True)
class Preprocessing:
    """What the images of a data set have in common."""

    # The limits guard against model files of unknown origin.
    native_size: Annotated[int, Field(ge=0)] = 0
    """Pictures of this size are padded or resized as the data set was; 0 for none."""
    background: Annotated[int, Field(ge=0, le=255)] | None = None
    """Grey level of the background; None for photographs, which have none in common."""
    content_size: Annotated[float, Field(ge=MIN_CONTENT_SIZE, le=1)] = 1.0
    """The longer side of the content, as a fraction of the image's side."""
    centre_by_mass: bool = False
    """Whether the content is centred by its centre of mass, or by its bounding box."""


def fit_preprocessing(images: Images, native_size: int) -> Preprocessing:
    """Measure what the images of a data set have in common.

    Args:
        images: the training images.
        native_size: their size before padding or resizing; 0 where it differed.
    """
    grey = images.pixels[:MAX_MEASURED].float().mean(dim=1).cpu()  # (N, H, W)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1)
    background = int(border.median())
    if ((border - background).abs() < MIN_CONTRAST).float().mean() < 0.7:
        return Preprocessing(native_size)
    contrast = (grey - background).abs()
    sizes, centres = [], []
    for image in contrast.numpy():
        box = _bounding_box(image > MIN_CONTRAST)
        if box is not None:
            sizes.append(max(box[2] - box[0], box[3] - box[1]) / len(image))
            centres.append(np.array(_centre_of_mass(image)) / len(image))
    if not sizes:
        return Preprocessing(native_size)
    return Preprocessing(
        native_size,
        background,
        content_size=max(float(np.median(sizes)), MIN_CONTENT_SIZE),
        centre_by_mass=float(np.std(centres, axis=0).mean()) < MAX_CENTRE_SPREAD,
    )


def preprocess(
    picture: Image.Image, shape: Shape, preprocessing: Preprocessing
) -> tuple[Tensor, list[str]]:
    """Make a picture look like the training images.

    Args:
        picture: 8-bit grey or RGB, of any size.
        shape: the shape of the model's images.
        preprocessing: what the training images have in common.

    Returns:
        Pixels (C, H, W) uint8, and warnings for the user about changes that may be unexpected.
    """
    warnings: list[str] = []
    background = preprocessing.background
    if background is not None and _is_inverted(picture, background):
        picture = ImageOps.invert(picture)
        here, there = ("light", "dark") if background < 128 else ("dark", "light")
        warnings.append(f"{here} background, but the model was trained on a {there} one: inverted")
    if picture.size == (shape.size, shape.size):
        return pil_to_tensor(picture, shape.channels), warnings
    if picture.size == (preprocessing.native_size, preprocessing.native_size):
        pixels = pil_to_tensor(picture, shape.channels)[None]
        return pad_or_resize(pixels, shape.size)[0], warnings
    if max(picture.size) > MAX_SIDE:
        picture = picture.copy()
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
    if background is not None and shape.channels == 1:
        picture = _centre_content(picture, shape.size, preprocessing, background)
    square = ImageOps.fit(picture, (shape.size, shape.size), Image.Resampling.LANCZOS)
    return pil_to_tensor(square, shape.channels), warnings


def _is_inverted(picture: Image.Image, background: int) -> bool:
    grey = np.asarray(picture.convert("L"))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return abs(float(np.median(border)) - background) > 128


def _centre_content(
    picture: Image.Image, size: int, preprocessing: Preprocessing, background: int
) -> Image.Image:
    """Crop and scale so that the content has the usual size and is in the centre."""
    grey_picture = picture.convert("L")
    if min(grey_picture.size) >= MIN_DENOISED:
        grey_picture = grey_picture.filter(ImageFilter.MedianFilter(3))
    grey = np.asarray(grey_picture, dtype=np.float32)
    contrast = np.abs(grey - _page_brightness(grey))
    strongest = float(contrast.max())
    noise = min(3 * float(np.median(contrast)), strongest / 4)
    threshold = noise + (strongest - noise) * MIN_CONTRAST / 255
    box = _bounding_box(contrast > max(threshold, MIN_PAGE_CONTRAST))
    if box is None:
        return picture
    left, top, right, bottom = box
    # Full contrast, as in the training images, however faint the scan; noise becomes zero.
    content = ((contrast[top:bottom, left:right] - noise) / (strongest - noise)).clip(0, 1)
    if preprocessing.centre_by_mass:
        x, y = _centre_of_mass(content)
    else:
        x, y = content.shape[1] / 2, content.shape[0] / 2
    side = max(content.shape) / preprocessing.content_size
    margin = math.ceil(side / 2)
    canvas = Image.fromarray(np.pad((content * 255).astype(np.uint8), margin))
    # Fractions of a pixel matter: rounding would shift a small digit visibly.
    left, top = margin + x - side / 2, margin + y - side / 2
    window = (left, top, left + side, top + side)
    square = canvas.resize((size, size), Image.Resampling.LANCZOS, box=window)
    return square if background < 128 else ImageOps.invert(square)


def _page_brightness(grey: np.ndarray) -> np.ndarray:
    """The brightness (H, W) of the empty page, as a plane fitted to the border: light falls off.

    Border pixels far from the plane are strokes that reach the border, and are left out.
    """
    height, width = grey.shape
    across, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    x = np.concatenate([across, across, np.full(height, -1.0), np.full(height, 1.0)])
    y = np.concatenate([np.full(width, -1.0), np.full(width, 1.0), down, down])
    level = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    terms = np.stack([np.ones_like(x), x, y], axis=1)
    kept = np.full(len(level), True)
    for _ in range(4):
        plane = np.linalg.lstsq(terms[kept], level[kept], rcond=None)[0]
        distance = np.abs(level - terms @ plane)
        kept = distance <= 2 * np.median(distance) + 1
    brightness: np.ndarray = plane[0] + plane[1] * across + plane[2] * down[:, None]
    return brightness.astype(np.float32)


def _bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the true values; None where there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _centre_of_mass(array: np.ndarray) -> tuple[float, float]:
    """(x, y) in pixels from the left and top edge; the centre where all values are zero."""
    total = float(array.sum())
    if total == 0:
        return array.shape[1] / 2, array.shape[0] / 2
    x = float((array.sum(axis=0) * np.arange(array.shape[1])).sum() / total) + 0.5
    y = float((array.sum(axis=1) * np.arange(array.shape[0])).sum() / total) + 0.5
    return x, y

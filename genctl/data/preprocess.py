"""Bringing a user's picture into the frame that a model's training images have.

What that frame is was read off the training images: whether they share a background, how much of
the side their content takes, and how it is centred. So a scan of a pen stroke on white paper
reaches a model of MNIST as a white digit of the right size in the middle of black.
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
from genctl.data.fit import resize
from genctl.data.pictures import pixels_of

INK = 64  # levels from the background at which a pixel counts as content
MIN_EXTENT = 0.1  # of the image's side
SAMPLE = 2000  # images that the frame is read from
MIN_SCAN = 128  # pixels on the shorter side; from there on grain is looked for
MAX_SIDE = 2048  # pixels; more say nothing about content that ends as 256 or fewer


@dataclass(frozen=True)
class Preprocessing:
    """The frame of a data set's images; ``background`` is None for photographs."""

    # The limits are for what a stranger's model file claims.
    source_size: Annotated[int, Field(ge=0)] = 0  # padded, not resized; 0 for none
    background: Annotated[int, Field(ge=0, le=255)] | None = None
    extent: Annotated[float, Field(ge=MIN_EXTENT, le=1)] = 1.0  # longer side of the content
    by_mass: bool = False  # centred by centre of mass, else by bounding box


def fit_preprocessing(images: Images, source_size: int) -> Preprocessing:
    """Read the frame off a data set."""
    grey = images.pixels[:SAMPLE].float().mean(dim=1).cpu()  # (N, H, W)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1)
    background = int(border.median())
    if ((border - background).abs() < INK).float().mean() < 0.7:
        return Preprocessing(source_size)
    ink = (grey - background).abs()
    extents, centres = [], []
    for image in ink.numpy():
        box = _box(image > INK)
        if box is not None:
            extents.append(max(box[2] - box[0], box[3] - box[1]) / len(image))
            centres.append(np.array(_mass(image)) / len(image))
    if not extents:
        return Preprocessing(source_size)
    spread = float(np.std(centres, axis=0).mean())
    return Preprocessing(
        source_size, background, max(float(np.median(extents)), MIN_EXTENT), spread < 0.02
    )


def preprocess(
    picture: Image.Image, shape: Shape, preprocessing: Preprocessing
) -> tuple[Tensor, list[str]]:
    """Bring ``picture`` into the frame: (C, H, W) uint8 and what had to be done, in words."""
    notes: list[str] = []
    if preprocessing.background is not None and _is_inverted(picture, preprocessing.background):
        picture = ImageOps.invert(picture)
        found, learned = ("dark on light", "light on dark")[
            :: 1 if preprocessing.background < 128 else -1
        ]
        notes.append(f"{found} where the model learned {learned}: inverted")
    if picture.size == (shape.size, shape.size):
        return pixels_of(picture, shape.channels), notes
    if picture.size == (preprocessing.source_size, preprocessing.source_size):
        return resize(pixels_of(picture, shape.channels)[None], shape.size)[0], notes
    if max(picture.size) > MAX_SIDE:
        picture = picture.copy()
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
    if preprocessing.background is not None and shape.channels == 1:
        picture = _center(picture, shape.size, preprocessing, preprocessing.background)
    square = ImageOps.fit(picture, (shape.size, shape.size), Image.Resampling.LANCZOS)
    return pixels_of(square, shape.channels), notes


def _is_inverted(picture: Image.Image, background: int) -> bool:
    return abs(_border_level(picture) - background) > 128


def _border_level(picture: Image.Image) -> float:
    grey = np.asarray(picture.convert("L"))
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def _center(
    picture: Image.Image, size: int, preprocessing: Preprocessing, background: int
) -> Image.Image:
    """Find the content, and look at it through the window that gives it its usual extent."""
    light = picture.convert("L")
    if min(light.size) >= MIN_SCAN:  # where no stroke is so thin that this would remove it
        light = light.filter(ImageFilter.MedianFilter(3))
    grey = np.asarray(light, dtype=np.float32)
    ink = np.abs(grey - _paper(grey))
    strongest = float(ink.max())
    grain = min(3 * float(np.median(ink)), strongest / 4)
    box = _box(ink > max(grain + (strongest - grain) * INK / 255, 16))
    if box is None:
        return picture
    # Stretched, so that a grey scan has the contrast of the training images, and no grain.
    left, top, right, bottom = box
    content = ((ink[top:bottom, left:right] - grain) / (strongest - grain)).clip(0, 1)
    x, y = _mass(content) if preprocessing.by_mass else (content.shape[1] / 2, content.shape[0] / 2)
    side = max(content.shape) / preprocessing.extent
    margin = math.ceil(side / 2)
    canvas = Image.fromarray(np.pad((content * 255).astype(np.uint8), margin))
    # A window between pixels: rounding would move a small digit by a visible part of its stroke.
    left, top = margin + x - side / 2, margin + y - side / 2
    window = (left, top, left + side, top + side)
    square = canvas.resize((size, size), Image.Resampling.LANCZOS, box=window)
    return square if background < 128 else ImageOps.invert(square)


def _paper(grey: np.ndarray) -> np.ndarray:
    """The level of the paper at every place: a plane through the border, since light falls off.

    Border pixels far from the plane are strokes that leave the picture, and are left out.
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
    paper: np.ndarray = plane[0] + plane[1] * across + plane[2] * down[:, None]
    return paper.astype(np.float32)


def _box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _mass(array: np.ndarray) -> tuple[float, float]:
    """Centre of mass (x, y) in pixels, counted from the edge of the first pixel."""
    total = float(array.sum())
    if total == 0:
        return array.shape[1] / 2, array.shape[0] / 2
    x = float((array.sum(axis=0) * np.arange(array.shape[1])).sum() / total) + 0.5
    y = float((array.sum(axis=1) * np.arange(array.shape[0])).sum() / total) + 0.5
    return x, y

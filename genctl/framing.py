"""Bringing a user's picture into the frame that a model's training images have.

What that frame is was read off the training images: whether they share a background, how much of
the side their content takes, and how it is centred. So a scan of a pen stroke on white paper
reaches a model of MNIST as a white digit of the right size in the middle of black.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from genctl.data.base import Images, Shape
from genctl.data.fit import resize
from genctl.images import pixels_of

INK = 64  # levels from the background at which a pixel counts as content
SAMPLE = 2000  # images that the frame is read from


@dataclass(frozen=True)
class Framing:
    """The frame of a data set's images; ``background`` is None for photographs."""

    source_size: int = 0  # images of this size are padded, not resized; 0 for none
    background: int | None = None  # 0 to 255
    extent: float = 1.0  # longer side of the content, as a share of the image's side
    by_mass: bool = False  # centred by centre of mass, else by bounding box


def read_framing(images: Images, source_size: int) -> Framing:
    """Read the frame off a data set."""
    grey = images.pixels[:SAMPLE].float().mean(dim=1).cpu()  # (N, H, W)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1)
    background = int(border.median())
    if ((border - background).abs() < INK).float().mean() < 0.7:
        return Framing(source_size)
    ink = (grey - background).abs()
    extents, centres = [], []
    for image in ink.numpy():
        box = _box(image > INK)
        if box is not None:
            extents.append(max(box[2] - box[0], box[3] - box[1]) / len(image))
            centres.append(np.array(_mass(image)) / len(image))
    if not extents:
        return Framing(source_size)
    spread = float(np.std(centres, axis=0).mean())
    return Framing(source_size, background, float(np.median(extents)), spread < 0.02)


def frame(picture: Image.Image, shape: Shape, framing: Framing) -> tuple[Tensor, list[str]]:
    """Bring ``picture`` into the frame: (C, H, W) uint8 and what had to be done, in words."""
    notes: list[str] = []
    if framing.background is not None and _is_inverted(picture, framing.background):
        picture = ImageOps.invert(picture)
        found, learned = ("dark on light", "light on dark")[
            :: 1 if framing.background < 128 else -1
        ]
        notes.append(f"is {found} where the model learned {learned}: inverted")
    if picture.size == (shape.size, shape.size):
        return pixels_of(picture, shape.channels), notes
    if picture.size == (framing.source_size, framing.source_size):
        return resize(pixels_of(picture, shape.channels)[None], shape.size)[0], notes
    if framing.background is not None and shape.channels == 1:
        picture = _center(picture, shape.size, framing, framing.background)
    square = ImageOps.fit(picture, (shape.size, shape.size), Image.Resampling.LANCZOS)
    return pixels_of(square, shape.channels), notes


def _is_inverted(picture: Image.Image, background: int) -> bool:
    return abs(_border_level(picture) - background) > 128


def _border_level(picture: Image.Image) -> float:
    grey = np.asarray(picture.convert("L"))
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def _center(picture: Image.Image, size: int, framing: Framing, background: int) -> Image.Image:
    """Crop to the content, scale it to the usual extent, and put it where it usually is."""
    level = _border_level(picture)
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    ink = np.abs(grey - level)
    strongest = float(ink.max())
    box = _box(ink > max(strongest / 3, 16))
    if box is None:
        return picture
    # Stretched, so that a grey scan has the contrast of the training images.
    stretched = np.clip(ink / strongest, 0, 1)
    left, top, right, bottom = box
    content = Image.fromarray((stretched[top:bottom, left:right] * 255).astype(np.uint8))
    scale = framing.extent * size / max(content.size)
    fitted = (max(1, round(content.width * scale)), max(1, round(content.height * scale)))
    content = content.resize(fitted, Image.Resampling.LANCZOS)
    array = np.asarray(content, dtype=np.float32)
    x, y = _mass(array) if framing.by_mass else (content.width / 2, content.height / 2)
    canvas = Image.new("L", (size, size), 0)
    canvas.paste(content, (round(size / 2 - x), round(size / 2 - y)))
    return canvas if background < 128 else ImageOps.invert(canvas)


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

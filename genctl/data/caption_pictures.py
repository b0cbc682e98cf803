"""Captions drawn as pictures, for the first column of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from genctl.data.pictures import BACKGROUND, pil_to_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.base import Shape

MIN_WIDTH = 112  # pixels
MAX_LINES = 3
FONT_SIZES = (11, 10, 9, 8, 7)  # the largest with which the caption fits
WHITE = 235


def caption_picture(text: str, shape: Shape) -> Tensor:
    """A caption in white on the ground of grids, (C, size, width) uint8; a long one is cut off."""
    width = max(MIN_WIDTH, 2 * shape.size)
    picture = Image.new("L", (width, shape.size), BACKGROUND)
    canvas = ImageDraw.Draw(picture)
    for size in FONT_SIZES:
        font = ImageFont.load_default(size)
        lines, line_height = _wrap(text, font, width - 4), size + 1
        fits = max(shape.size // line_height, 1)
        if len(lines) <= min(fits, MAX_LINES):
            break
    shown = lines[:fits]
    if len(lines) > fits:
        shown[-1] += " …"
    top = (shape.size - len(shown) * line_height) / 2
    for number, line in enumerate(shown):
        canvas.text((2, top + number * line_height), line, fill=WHITE, font=font)
    return pil_to_tensor(picture, shape.channels)


def _wrap(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The lines of a text, each at most ``width`` pixels long unless a word is longer."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if lines[0] else lines[1:] or [""]

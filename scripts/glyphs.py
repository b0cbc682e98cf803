"""Draw coloured letters and digits with the fonts that matplotlib ships, without classes.

    python scripts/glyphs.py pictures --n 12000

Needs the extra `plot`. The same arguments draw the same pictures. `docs/your-own-pictures.md`
measures models of them.
"""

import argparse
import colorsys
import random
import string
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol",
    "STIXGeneralItalic", "cmb10", "cmr10", "cmss10", "cmti10", "cmtt10",
)  # fmt: skip
CHARACTERS = string.ascii_uppercase + string.digits
SIZE = 64
LARGE = 4 * SIZE  # in which a picture is drawn first
GLYPH_HEIGHT = (0.6, 0.8)  # of the picture
MAX_ROTATION = 12  # degrees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(arguments.seed)
    for number in range(arguments.n):
        glyph(rng).save(arguments.folder / f"{number:05d}.png")


def glyph(rng: random.Random) -> Image.Image:
    """A character in a strong colour on a pale ground, turned a little."""
    ink = colour(rng.random(), rng.uniform(0.7, 1), rng.uniform(0.5, 0.85))
    ground = colour(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.9, 1))
    text = rng.choice(CHARACTERS)
    font = large_font(rng.choice(FONTS))
    left, top, right, bottom = font.getbbox(text)
    scale = rng.uniform(*GLYPH_HEIGHT) * LARGE / max(bottom - top, right - left)
    font = font.font_variant(size=round(scale * LARGE))
    mask = Image.new("L", (LARGE, LARGE))
    draw = ImageDraw.Draw(mask)
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    draw.text(((LARGE - left - right) / 2, (LARGE - top - bottom) / 2), text, 255, font)
    angle = rng.uniform(-MAX_ROTATION, MAX_ROTATION)
    mask = mask.rotate(angle, Image.Resampling.BICUBIC).resize((SIZE, SIZE), Image.Resampling.BOX)
    return Image.composite(
        Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, ground), mask
    )


def colour(hue: float, saturation: float, value: float) -> tuple[int, ...]:
    """From HSV, each 0 to 1, to RGB, each 0 to 255."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))


@cache
def large_font(name: str) -> ImageFont.FreeTypeFont:
    """A font of matplotlib, as high as the picture that is drawn first."""
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    return ImageFont.truetype(str(path), LARGE)


if __name__ == "__main__":
    main()

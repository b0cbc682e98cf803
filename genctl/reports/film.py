"""``genctl film``: the sample grids of a run as an animation of its training."""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from genctl.common.errors import MissingInput, UsageError
from genctl.reports.grids import Notify, read_grids
from genctl.runs.run import Run

FORMATS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG", ".webp": "WEBP"}

MAX_FRAMES = 240
SECONDS = 8  # of a film, where the frames are neither too fast nor too slow then
FASTEST, SLOWEST = 60, 500  # milliseconds of a frame
LAST = 2000  # milliseconds of the last frame, before the film begins again
MIN_SIDE = 480  # pixels; smaller grids are enlarged
MAX_SIDE = 960  # pixels; larger grids are made smaller

BACKGROUND, TEXT, BAR = (24, 26, 30), (235, 237, 240), (86, 180, 233)


def require_format(path: Path) -> None:
    """Check the name of the output before work begins.

    Raises:
        UsageError: its ending is not that of an animation.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--out {path}: must end in {', '.join(FORMATS)}")


def film_frames(run: Run, grids: list[tuple[int, Path]], warn: Notify) -> list[Image.Image]:
    """The frames: each a sample grid, with the images seen and the progress below it.

    Args:
        run: the run.
        grids: images seen and path of each sample grid.
        warn: called with a line for each picture that cannot be read.

    Raises:
        MissingInput: there are no sample grids.
    """
    pictures = read_grids(grids, MAX_FRAMES, warn)
    if not pictures:
        raise MissingInput(
            f"cannot make a film of {run}: {run.samples} holds no sample grids; they are written "
            "at the beginning of a run and at every checkpoint (training.checkpoint_every)"
        )
    size = _frame_size(pictures[-1][1])
    last = pictures[-1][0]
    return [_frame(picture, images, last, size) for images, picture in pictures]


def encode(frames: list[Image.Image], suffix: str) -> bytes:
    """The frames as a GIF, an animated PNG or a WebP, which repeats for ever."""
    duration = round(min(max(SECONDS * 1000 / len(frames), FASTEST), SLOWEST))
    durations = [duration] * (len(frames) - 1) + [LAST]
    first, *others = frames
    buffer = io.BytesIO()
    form = FORMATS[suffix.lower()]
    options = {"lossless": True} if form == "WEBP" else {}
    first.save(
        buffer, form, save_all=True, append_images=others, duration=durations, loop=0, **options
    )
    return buffer.getvalue()


def _frame_size(picture: Image.Image) -> tuple[int, int]:
    side = max(picture.size)
    zoom = math.ceil(MIN_SIDE / side) if side <= MAX_SIDE else MAX_SIDE / side
    return round(picture.width * zoom), round(picture.height * zoom)


def _frame(picture: Image.Image, images: int, last: int, size: tuple[int, int]) -> Image.Image:
    width, height = size
    enlarged = width >= picture.width
    resampling = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
    font_size = max(14, width // 26)
    strip = 2 * font_size
    frame = Image.new("RGB", (width, height + strip), BACKGROUND)
    frame.paste(picture.convert("RGB").resize(size, resampling), (0, 0))
    draw = ImageDraw.Draw(frame)
    progress = round(width * images / last) if last else 0
    if progress:
        draw.rectangle((0, height, progress - 1, height + 3), BAR)
    font = ImageFont.load_default(font_size)
    draw.text((width // 2, height + strip // 2 + 2), f"{images:,} images", TEXT, font, anchor="mm")
    return frame

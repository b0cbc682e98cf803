"""What ``genctl sample`` writes: sheets, single pictures, arrays, and walks that move."""

from __future__ import annotations

import io
import json
import math
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from genctl.common import files
from genctl.common.errors import BadContent, CannotCreate, UsageError
from genctl.data import pictures as images
from genctl.inference import arrays
from genctl.inference.arrays import Told
from genctl.inference.samples import Drawing, Order
from genctl.runs.model_file import TrainedModel

Format = Literal["grid", "png", "npz", "animation"]

MOVING = (".gif", ".apng")
MOVING_SIDE = 128  # pixels that an image of an animation has at least
MILLISECONDS = 80  # between two images of an animation


@dataclass(frozen=True)
class Provenance:
    """What a picture says about itself, so that it can be drawn again."""

    command: str
    model: str
    model_sha256: str
    order: Order
    sample: int | None = None  # which of the samples; None for a sheet of all


def provenance(order: Order, trained: TrainedModel, sample: int | None = None) -> Provenance:
    """What is needed to draw the same again."""
    path = str(trained.path.resolve())
    return Provenance(_command(order, path), path, trained.digest, order, sample)


def write(
    drawing: Drawing, path: Path, form: Format, batch_size: int, told: Told = lambda share: None
) -> None:
    """Write a drawing; arrays and single pictures while others are still to be drawn.

    Raises:
        UsageError: a sheet would be too large.
        CannotCreate: the folder for the PNGs holds other things.
    """
    if path.parent != Path():
        files.make_folder(path.parent)
    if form == "png":
        _write_pictures(drawing, path, batch_size, told)
        return
    if form == "npz":
        arrays.write(drawing, path, batch_size, told)
        return
    _require_size(drawing)
    pixels = drawing.pixels(batch_size)
    if form == "grid":
        content = images.png(
            layout(drawing, pixels), text(provenance(drawing.order, drawing.trained))
        )
    else:
        content = moving(drawing, pixels, path.suffix.lower())
    files.atomic_write(path, content)


def layout(drawing: Drawing, pixels: Tensor) -> Tensor:
    """The samples as one sheet (C, height, width) uint8.

    A row for each condition, with what was shown in front of it; a square for a single one.
    """
    rows = _rows(drawing, [list(own) for own in pixels.split(drawing.counts)])
    pictures = [one.picture for one in drawing.shown]
    if all(picture is None for picture in pictures):
        return images.grid(rows)
    blank = torch.full_like(pixels[0], images.GROUND)
    fronts = [blank if picture is None else picture for picture in pictures]
    fronts += [blank] * (len(rows) - len(fronts))
    return images.grid([[front, *row] for front, row in zip(fronts, rows, strict=True)], lead=4)


def _rows(drawing: Drawing, samples: list[list[Tensor]]) -> list[list[Tensor]]:
    order, shown = drawing.order, drawing.shown
    if len(shown) == 1 and not (order.interpolate or shown[0].same_z):
        across = math.ceil(math.sqrt(len(drawing)))
        return [samples[0][first : first + across] for first in range(0, len(drawing), across)]
    if order.conditions or order.interpolate:
        return [row for row in samples if row]
    deepest = drawing.counts[0]  # every class once per row
    return [[own[row] for own in samples if row < len(own)] for row in range(deepest)]


def moving(drawing: Drawing, pixels: Tensor, suffix: str) -> bytes:
    """A walk there and back as an animated GIF or PNG, every condition at once."""
    from PIL import Image

    steps = min(count for count in drawing.counts if count)
    samples = [list(own) for own in pixels.split(drawing.counts)]
    shown = [(one.picture, own) for one, own in zip(drawing.shown, samples, strict=True) if own]
    frames = []
    for step in [*range(steps), *range(steps - 2, 0, -1)]:
        if any(picture is not None for picture, _ in shown):
            blank = torch.full_like(pixels[0], images.GROUND)
            rows = [[blank if front is None else front, own[step]] for front, own in shown]
        else:
            rows = [[own[step] for _, own in shown]]
        frame = images.picture_of(images.grid(rows))
        zoom = math.ceil(MOVING_SIDE / pixels.shape[-1])
        size = (frame.width * zoom, frame.height * zoom)
        frames.append(frame.resize(size, Image.Resampling.NEAREST))
    buffer = io.BytesIO()
    form = "GIF" if suffix == ".gif" else "PNG"
    frames[0].save(
        buffer, form, save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0
    )
    return buffer.getvalue()


def _write_pictures(drawing: Drawing, folder: Path, batch_size: int, told: Told) -> None:
    """Fill an empty folder, or leave it empty: half of the pictures would be in the way of all."""
    if folder.is_dir() and any(folder.iterdir()):
        raise CannotCreate(f"cannot write {folder}: the folder is not empty; name another --out")
    made = not folder.exists()
    files.make_folder(folder)
    number = 0
    try:
        for batch in drawing.batches(batch_size):
            for pixels in batch:
                metadata = provenance(drawing.order, drawing.trained, number)
                files.atomic_write(_numbered(folder, number), images.png(pixels, text(metadata)))
                number += 1
            told(number / len(drawing))
    except BaseException:
        for written in range(number + 1):
            _numbered(folder, written).unlink(missing_ok=True)
        if made:
            folder.rmdir()
        raise


def _numbered(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


def _require_size(drawing: Drawing) -> None:
    side = drawing.trained.metadata.config.data.image_size
    if len(drawing) * side**2 > images.MAX_PIXELS:
        raise UsageError(
            f"--n {drawing.order.n}: {len(drawing):,} images are too many for one picture; use "
            "--format png or npz"
        )


# -- what a picture says about itself -------------------------------------------------------------


def read_provenance(picture: Path) -> Provenance:
    """What ``picture`` says about itself.

    Raises:
        MissingInput, BadContent: it is not there, says nothing, or what cannot be true.
    """
    from PIL import Image
    from pydantic import TypeAdapter, ValidationError

    seen = images.read_picture(picture)
    with Image.open(picture, formats=images.FORMATS) as sheet:
        text = str(sheet.info.get("genctl", ""))
    try:
        metadata = TypeAdapter(Provenance).validate_json(text)
    except ValidationError:
        raise BadContent(
            f"cannot reproduce {picture}: it does not say how it was drawn; only the pictures "
            "that `genctl sample` wrote do"
        ) from None
    if metadata.sample is None and metadata.order.n > seen.width * seen.height:
        raise BadContent(
            f"cannot reproduce {picture}: it has no room for {metadata.order.n:,} images"
        )
    return metadata


def redraw(drawing: Drawing, metadata: Provenance, batch_size: int) -> Tensor:
    """The picture (C, height, width) that ``metadata`` speak of.

    Raises:
        BadContent: they speak of a sample that there is not.
    """
    if metadata.sample is None:
        _require_size(drawing)
        return layout(drawing, drawing.pixels(batch_size))
    if not 0 <= metadata.sample < len(drawing):
        raise BadContent(
            f"cannot reproduce sample {metadata.sample} of {len(drawing)}: damaged text"
        )
    return drawing.sample(metadata.sample)


def is_same(picture: Path, pixels: Tensor) -> bool:
    """Whether ``picture`` shows exactly ``pixels`` (C, height, width)."""
    return torch.equal(images.pixels_of(images.read_picture(picture), len(pixels)), pixels)


def text(metadata: Provenance) -> dict[str, str]:
    """The text chunks of a PNG that says how it was drawn."""
    return {"Software": "genctl", "genctl": json.dumps(asdict(metadata))}


def _command(order: Order, model: str) -> str:
    words = ["genctl", "sample", "--run", model, "--n", str(order.n), "--seed", str(order.seed)]
    words += [word for spec in order.conditions for word in ("--condition", spec)]
    words += ["--truncation", str(order.truncation)] if order.truncation != 1 else []
    words += ["--interpolate"] if order.interpolate else []
    return shlex.join(words)

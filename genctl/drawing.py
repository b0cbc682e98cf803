"""The work of ``genctl sample``: conditions and a seed in, pictures out."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from genctl import files, images, sampling
from genctl.errors import BadContent, CannotCreate
from genctl.model_file import TrainedModel
from genctl.shown import Shown, every_class, resolve

Format = Literal["grid", "png", "npz"]


@dataclass(frozen=True)
class Order:
    """What to draw."""

    conditions: tuple[str, ...] = ()
    n: int = 64  # images of each condition; of all together where none is given
    seed: int = 0
    truncation: float = 1.0
    interpolate: bool = False


@dataclass(frozen=True)
class Drawing:
    """Samples in condition-major order."""

    pixels: Tensor  # (N, C, H, W) uint8
    shown: list[Shown]
    conditions: list[int]  # (N,) which of ``shown`` each sample is of
    index: list[int]  # (N,) which sample of its condition each is


def draw(order: Order, trained: TrainedModel, batch_size: int, say: Callable[[str], None],
         warn: Callable[[str], None]) -> Drawing:  # fmt: skip
    """Draw what was ordered. Sample i of a condition depends on model, condition, seed, i alone.

    Raises:
        UsageError, MissingInput, BadContent: a condition cannot be had.
    """
    if order.conditions:
        shown = resolve(list(order.conditions), trained, warn)
        places = [(c, i) for c in range(len(shown)) for i in range(order.n)]
    else:
        shown = every_class(trained)
        if trained.facts.config.condition.code_width:
            what = "every class in turn" if trained.facts.classes else "noise"
            say(f"no --condition given: drawing {what}")
        places = [(i % len(shown), i // len(shown)) for i in range(order.n)]
    batches = [
        _batch(places[first : first + batch_size], order, shown, trained)
        for first in range(0, len(places), batch_size)
    ]
    return Drawing(torch.cat(batches), shown, [c for c, _ in places], [i for _, i in places])


def _batch(
    places: list[tuple[int, int]], order: Order, shown: list[Shown], trained: TrainedModel
) -> Tensor:
    zs, codes = [], []
    for condition, first, count in _stretches(places):
        one = shown[condition]
        zs.append(_noise(order, first, count, trained.model.z_width, one.same_z))
        codes.append(one.codes(order.seed, first, count))
    return sampling.draw(trained.model, torch.cat(zs), torch.cat(codes))


def _stretches(places: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Join neighbouring samples of one condition: (condition, first, count)."""
    start = 0
    for end in range(1, len(places) + 1):
        condition, first = places[start]
        if end == len(places) or places[end] != (condition, first + end - start):
            yield condition, first, end - start
            start = end


def _noise(order: Order, first: int, count: int, width: int, same_z: bool) -> Tensor:
    if same_z:
        z = sampling.noise(order.seed, 0, 1, width).expand(count, -1)
    elif order.interpolate:
        z = _walk(order, width)[first : first + count]
    else:
        z = sampling.noise(order.seed, first, count, width)
    return z * order.truncation


def _walk(order: Order, width: int) -> Tensor:
    """A way (n, width) from one z to another that stays as long as a normal z is."""
    start, end = sampling.noise(order.seed, 0, 2, width)
    angle = torch.linspace(0, math.pi / 2, order.n)[:, None]
    return torch.cos(angle) * start + torch.sin(angle) * end


# -- what is written ------------------------------------------------------------------------------


def layout(drawing: Drawing, conditional: bool) -> Tensor:
    """The samples as one sheet (C, height, width) uint8.

    A row for each condition, with what was shown in front of it; a square for a single one.
    """
    pictures = [one.picture for one in drawing.shown]
    rows = _rows(drawing, conditional)
    if not any(picture is not None for picture in pictures):
        return images.grid(rows)
    blank = torch.full_like(drawing.pixels[0], images.GROUND)
    fronts = [blank if picture is None else picture for picture in pictures]
    fronts += [blank] * (len(rows) - len(fronts))
    return images.grid([[front, *row] for front, row in zip(fronts, rows, strict=True)], lead=4)


def _rows(drawing: Drawing, conditional: bool) -> list[list[Tensor]]:
    samples = list(drawing.pixels)
    count = len(drawing.shown)
    if count == 1:
        across = math.ceil(math.sqrt(len(samples)))
    elif conditional:
        across = len(samples) // count
    else:  # every class once per row
        across = count
    return [samples[start : start + across] for start in range(0, len(samples), across)]


def npz_bytes(drawing: Drawing, seed: int) -> bytes:
    """images (N, H, W, C) uint8, seed, index and conditions (N,) as the bytes of an npz file."""
    names = np.array([drawing.shown[c].name for c in drawing.conditions], dtype=np.str_)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        images=drawing.pixels.permute(0, 2, 3, 1).numpy(),
        seed=np.full(len(names), seed, dtype=np.int64),
        index=np.array(drawing.index, dtype=np.int64),
        conditions=names,
    )
    return buffer.getvalue()


def write(drawing: Drawing, order: Order, trained: TrainedModel, path: Path, form: Format) -> None:
    """Write a drawing as a grid, as one PNG for each image, or as npz."""
    text = {"Software": "genctl", "genctl": json.dumps(provenance(order, trained))}
    if path.parent != Path():
        files.make_folder(path.parent)
    if form == "npz":
        files.write_whole(path, npz_bytes(drawing, order.seed))
    elif form == "grid":
        files.write_whole(path, images.png(layout(drawing, bool(order.conditions)), text))
    else:
        if path.is_dir() and any(path.iterdir()):
            raise CannotCreate(f"cannot write {path}: the folder is not empty; name another --out")
        files.make_folder(path)
        for number, pixels in enumerate(drawing.pixels):
            files.write_whole(path / f"{number:06d}.png", images.png(pixels, text))


def provenance(order: Order, trained: TrainedModel) -> dict[str, Any]:
    """What is needed to draw the same again."""
    facts = Provenance(str(trained.path.resolve()), trained.digest, order)
    return asdict(facts)


@dataclass(frozen=True)
class Provenance:
    """What a sheet says about itself."""

    model: str
    model_sha256: str
    order: Order


def read_provenance(picture: Path) -> Provenance:
    """What the sheet ``picture`` says about itself.

    Raises:
        MissingInput, BadContent: it is not there, or says nothing.
    """
    from PIL import Image
    from pydantic import TypeAdapter, ValidationError

    images.read_picture(picture)
    with Image.open(picture, formats=["PNG"]) as sheet:
        text = sheet.info.get("genctl")
    try:
        return TypeAdapter(Provenance).validate_json(text or "")
    except ValidationError:
        raise BadContent(
            f"cannot reproduce {picture}: it does not say how it was drawn; only the sheets that "
            "`genctl sample` wrote do"
        ) from None


def same_pixels(one: Path, other: Path) -> bool:
    """Whether two pictures show the same."""
    first, second = (np.asarray(images.read_picture(path)) for path in (one, other))
    return np.array_equal(first, second)

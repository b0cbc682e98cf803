"""The work of ``genctl encode``: images in, codes out."""

from __future__ import annotations

import colorsys
import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.common.files import atomic_write, make_folder
from genctl.conditions import image
from genctl.data.pictures import picture_of, pixels_of, png
from genctl.inference.inputs import as_path, picture_paths
from genctl.inference.resolve import DATASET, Shown, encode_pictures, resolve
from genctl.runs.model_file import TrainedModel

MAP_SIDE = 1200  # pixels
MIN_PICTURE, MAX_PICTURE = 24, 64  # pixels of an image on the map
FORMATS = (".npz", ".csv", ".jsonl", ".safetensors")


@dataclass(frozen=True)
class Encoded:
    """Codes of many images."""

    codes: Tensor  # (N, width) float32
    paths: list[str]
    labels: list[int] | None  # where every image has one
    pixels: Tensor  # (N, C, H, W) uint8, as the encoder saw them


def encode(inputs: Sequence[str], trained: TrainedModel, warn: Callable[[str], None]) -> Encoded:
    """Encode files, folders, globs and data sets.

    Raises:
        UsageError: the model has no image encoder.
        MissingInput, BadContent: an image cannot be had; nothing is returned then.
    """
    if not isinstance(trained.metadata.config.condition, image.Image):
        raise UsageError(
            f"cannot encode with {trained.path}: it has no image encoder; a config with "
            "`condition: {kind: image}` trains one, as mnist_cgan does"
        )
    parts: list[Shown] = []
    for name in inputs:
        if DATASET.fullmatch(name):
            parts += resolve([name], trained, warn)
        else:
            parts += _files(name, trained, warn)
    pixels = torch.stack([part.picture for part in parts if part.picture is not None])
    codes = torch.cat([part.codes(0, 0, 1) for part in parts])
    labels = [part.label for part in parts if part.label is not None]
    return Encoded(
        codes,
        [part.name for part in parts],
        labels if len(labels) == len(parts) else None,
        pixels,
    )


def _files(name: str, trained: TrainedModel, warn: Callable[[str], None]) -> list[Shown]:
    """Pictures of a file, folder or glob; a folder of class folders gives labels too."""
    classes = trained.metadata.classes
    root = as_path(name, "INPUT")
    # Looked up, not joined: the names of classes come with the model, and may be "../.." too.
    inside = {one.name: one for one in root.iterdir() if one.is_dir()} if root.is_dir() else {}
    labelled = [(inside[one], label) for label, one in enumerate(classes) if one in inside]
    groups: list[tuple[str, int | None]] = [(str(path), label) for path, label in labelled]
    found: list[Shown] = []
    for group, label in groups or [(name, None)]:
        found += encode_pictures(picture_paths(group), trained, warn, label)
    return found


def write(encoded: Encoded, path: Path) -> None:
    """Write codes in the form that the suffix of ``path`` names.

    Raises:
        UsageError: the suffix names none.
    """
    writers = {".npz": _npz, ".csv": _csv, ".jsonl": _jsonl, ".safetensors": _safetensors}
    if path.suffix not in writers:
        raise UsageError(f"--out {path}: must end in one of {', '.join(FORMATS)}")
    make_folder(path.parent)
    atomic_write(path, writers[path.suffix](encoded))


def _npz(encoded: Encoded) -> bytes:
    arrays = {
        "codes": encoded.codes.numpy(),
        "paths": np.array(encoded.paths, dtype=np.str_),
    }
    if encoded.labels is not None:
        arrays["labels"] = np.array(encoded.labels, dtype=np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _csv(encoded: Encoded) -> bytes:
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    labels = encoded.labels
    numbers = [f"c{i}" for i in range(encoded.codes.shape[1])]
    table.writerow(["path", *(["label"] if labels is not None else []), *numbers])
    for i, (path, code) in enumerate(zip(encoded.paths, encoded.codes.tolist(), strict=True)):
        table.writerow([path, *([labels[i]] if labels is not None else []), *code])
    return buffer.getvalue().encode(errors="surrogateescape")  # a name that is not UTF-8


def _jsonl(encoded: Encoded) -> bytes:
    lines = []
    for i, (path, code) in enumerate(zip(encoded.paths, encoded.codes.tolist(), strict=True)):
        label = {} if encoded.labels is None else {"label": encoded.labels[i]}
        lines.append(json.dumps({"path": path, **label, "code": code}) + "\n")
    return "".join(lines).encode()


def _safetensors(encoded: Encoded) -> bytes:
    from safetensors.torch import save

    tensors = {"codes": encoded.codes.contiguous()}
    if encoded.labels is not None:
        tensors["labels"] = torch.tensor(encoded.labels)
    return save(tensors, {"paths": json.dumps(encoded.paths)})


def plot(encoded: Encoded) -> bytes:
    """A map (PNG) of the codes' two main directions, each image at its place.

    Where classes are known, each has a frame of its own colour.

    Raises:
        UsageError: there are too few images to have directions.
    """
    if len(encoded.codes) < 3:
        raise UsageError(f"--plot: needs at least 3 images, found {len(encoded.codes)}")
    places = _main_directions(encoded.codes)
    spread = places.amax(dim=0) - places.amin(dim=0)
    spots = (places - places.amin(dim=0)) / spread.clamp(min=1e-12)  # (N, 2) in [0, 1]
    canvas = Image.new("RGB", (MAP_SIDE, MAP_SIDE), "white")
    # Large enough to be seen, small enough for many to find room.
    wanted = MAP_SIDE / math.sqrt(len(spots)) / 1.4
    side = int(min(max(wanted, MIN_PICTURE), MAX_PICTURE))
    for number, (x, y) in enumerate(spots.tolist()):
        picture = picture_of(encoded.pixels[number]).convert("RGB").resize((side, side))
        if encoded.labels is not None:
            picture = ImageOps.expand(ImageOps.crop(picture, 2), 2, _colour(encoded.labels[number]))
        room = MAP_SIDE - side
        canvas.paste(picture, (round(x * room), round((1 - y) * room)))
    return png(pixels_of(canvas, 3))


def _main_directions(codes: Tensor) -> Tensor:
    """Codes (N, width) projected on the two directions (N, 2) in which they differ most."""
    centred = codes - codes.mean(dim=0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors  # by rising variance
    projected = centred @ directions[:, -2:].flip(1)
    return torch.nn.functional.pad(projected, (0, 2 - projected.shape[1]))


def _colour(label: int) -> tuple[int, int, int]:
    """A hue for each class; neighbours differ by the golden ratio of the circle."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.9, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)

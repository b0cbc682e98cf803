"""The work of ``genctl encode``: images in, codes out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genctl import sampling
from genctl.conditions.image import Image
from genctl.errors import UsageError
from genctl.files import write_whole
from genctl.images import to_floats
from genctl.model_file import TrainedModel
from genctl.shown import DATASET, Shown, fixed, picture_paths, read_framed, resolve

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
    if not isinstance(trained.facts.config.condition, Image):
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
    classes = trained.facts.classes
    root = Path(name).expanduser()
    labelled = [(root / one, label) for label, one in enumerate(classes) if (root / one).is_dir()]
    groups: list[tuple[str, int | None]] = [(str(path), label) for path, label in labelled]
    found: list[Shown] = []
    for group, label in groups or [(name, None)]:
        paths = picture_paths(group)
        pixels = torch.stack([read_framed(path, trained, warn) for path in paths])
        codes = sampling.encode(trained.model, to_floats(pixels))
        found += [
            fixed(str(path), picture, code, label)
            for path, picture, code in zip(paths, pixels, codes, strict=True)
        ]
    return found


def write(encoded: Encoded, path: Path) -> None:
    """Write codes in the form that the suffix of ``path`` names.

    Raises:
        UsageError: the suffix names none.
    """
    writers = {".npz": _npz, ".csv": _csv, ".jsonl": _jsonl, ".safetensors": _safetensors}
    if path.suffix not in writers:
        raise UsageError(f"--out {path}: must end in one of {', '.join(FORMATS)}")
    write_whole(path, writers[path.suffix](encoded))


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
    return buffer.getvalue().encode()


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


def linear_probe(encoded: Encoded) -> float | None:
    """Share of images whose class a linear map of their code names, by 5-fold cross-validation.

    None where labels are missing or a class is too small to be divided.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    if encoded.labels is None or len(set(encoded.labels)) < 2:
        return None
    if min(np.bincount(encoded.labels)[list(set(encoded.labels))]) < 5:
        return None
    scores = cross_val_score(
        LogisticRegression(max_iter=1000), encoded.codes.numpy(), encoded.labels, cv=5
    )
    return float(scores.mean())


def plot(encoded: Encoded, path: Path, side: int = 1200) -> None:
    """Write a map (PNG) of the codes' two main directions, each image at its place."""
    from sklearn.decomposition import PCA

    from genctl.images import picture_of, png

    if len(encoded.codes) < 3:
        raise UsageError(f"--plot {path}: needs at least 3 images, found {len(encoded.codes)}")
    places = PCA(n_components=2, random_state=0).fit_transform(encoded.codes.numpy())
    low, high = places.min(axis=0), places.max(axis=0)
    size = encoded.pixels.shape[-1]
    spots = ((places - low) / (high - low + 1e-12) * (side - size)).round().astype(int)
    sheet = torch.full((encoded.pixels.shape[1], side, side), 24, dtype=torch.uint8)
    canvas = picture_of(sheet)
    for (x, y), pixels in zip(spots, encoded.pixels, strict=True):
        canvas.paste(picture_of(pixels), (int(x), side - size - int(y)))
    array = torch.from_numpy(np.array(canvas))
    write_whole(path, png(array[None] if array.ndim == 2 else array.permute(2, 0, 1)))

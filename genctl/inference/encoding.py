"""What ``genctl encode`` computes: the codes of images, and files that hold them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.common.files import atomic_write, make_folder
from genctl.conditions.image import Image
from genctl.conditions.text import Text
from genctl.inference.inputs import as_path, picture_paths
from genctl.inference.picture_codes import (
    DATASET,
    dataset_captions,
    encode_dataset,
    encode_pictures,
)
from genctl.inference.prompts import encode_prompt, is_prompt, read_captions
from genctl.inference.resolved import ClassCode, ImageCode, Notify
from genctl.inference.sampling import generate, sample_z
from genctl.runs.model_file import TrainedModel


@dataclass(frozen=True)
class EncodedImages:
    """Images, or words, and their codes."""

    codes: Tensor  # (N, code_dim) float32
    paths: list[str]
    labels: list[int] | None  # None unless every image has one
    pixels: Tensor  # (N, C, H, W) uint8, as the encoder saw them; drawings of words


def encode(inputs: Sequence[str], trained: TrainedModel, warn: Notify) -> EncodedImages:
    """Encode files, folders, globs and data sets; for a model of words, prompts and text files.

    Raises:
        UsageError: the model has no encoder of images or words.
        MissingInput, BadContent: an input cannot be read; then nothing is returned.
    """
    require_encoder(trained)
    images: list[ClassCode | ImageCode] = []
    for name in inputs:
        if isinstance(trained.metadata.config.condition, Text):
            images += _encode_words(name, trained)
        elif DATASET.fullmatch(name):
            images += encode_dataset(name, trained)
        else:
            images += _encode_path(name, trained, warn)
    labels = [image.label for image in images if image.label is not None]
    codes = torch.stack([image.code for image in images])
    return EncodedImages(
        codes,
        [image.name for image in images],
        labels if len(labels) == len(images) else None,
        _pictures(images, codes, trained),
    )


def _pictures(
    images: Sequence[ClassCode | ImageCode], codes: Tensor, trained: TrainedModel
) -> Tensor:
    """What the encoder saw; for words, a drawing of each, all with the same z."""
    if isinstance(trained.metadata.config.condition, Text):
        z = sample_z(0, 0, 1, trained.model.z_dim).expand(len(codes), -1)
        return generate(trained.model, z, codes)
    return torch.stack([image.picture for image in images if image.picture is not None])


def require_encoder(trained: TrainedModel) -> None:
    """Refuse a model that is not conditioned on images or words.

    Raises:
        UsageError: it has no such encoder.
    """
    if not isinstance(trained.metadata.config.condition, Image | Text):
        raise UsageError(
            f"cannot encode with {trained.path}: it has no image encoder; a config with "
            "`condition: {kind: image}` trains one, as mnist_cgan does"
        )


def _encode_words(name: str, trained: TrainedModel) -> Sequence[ClassCode]:
    """A prompt, the captions in the lines of a text file, or those of a data set's images."""
    if is_prompt(name):
        return [encode_prompt(name, trained)]
    if DATASET.fullmatch(name):
        return dataset_captions(name, trained)
    return read_captions(as_path(name, "INPUT"), trained)


def _encode_path(name: str, trained: TrainedModel, warn: Notify) -> list[ImageCode]:
    """The pictures of a file, folder or glob; a folder with class folders gives labels too."""
    root = as_path(name, "INPUT")
    folders = {path.name: path for path in root.iterdir()} if root.is_dir() else {}
    # Looked up, not joined: class names come with the model file, and could be "../..".
    by_label = {
        label: folders[class_name]
        for label, class_name in enumerate(trained.metadata.classes)
        if class_name in folders and folders[class_name].is_dir()
    }
    if not by_label:
        return encode_pictures(picture_paths(name), trained, warn)
    return [
        image
        for label, folder in by_label.items()
        for image in encode_pictures(picture_paths(str(folder)), trained, warn, label)
    ]


def write(encoded: EncodedImages, path: Path) -> None:
    """Write codes in the format that the suffix of ``path`` names.

    Raises:
        UsageError: the suffix names none.
        CannotCreate, WriteFailed: the file cannot be written.
    """
    require_format(path)
    make_folder(path.parent)
    atomic_write(path, WRITERS[path.suffix](encoded))


def require_format(path: Path) -> None:
    """Refuse a path whose suffix names no format.

    Raises:
        UsageError: naming those that there are.
    """
    if path.suffix not in WRITERS:
        raise UsageError(f"--out {path}: must end in one of {', '.join(WRITERS)}")


def _npz(encoded: EncodedImages) -> bytes:
    arrays = {"codes": encoded.codes.numpy(), "paths": np.array(encoded.paths, dtype=np.str_)}
    if encoded.labels is not None:
        arrays["labels"] = np.array(encoded.labels, dtype=np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _csv(encoded: EncodedImages) -> bytes:
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    columns = [f"c{number}" for number in range(encoded.codes.shape[1])]
    labels = [] if encoded.labels is None else ["label"]
    table.writerow(["path", *labels, *columns])
    for row in _rows(encoded):
        code = row.pop("code")
        table.writerow([*row.values(), *code])
    return buffer.getvalue().encode(errors="surrogateescape")  # file names need not be UTF-8


def _jsonl(encoded: EncodedImages) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in _rows(encoded)).encode()


def _safetensors(encoded: EncodedImages) -> bytes:
    from safetensors.torch import save

    tensors = {"codes": encoded.codes.contiguous()}
    if encoded.labels is not None:
        tensors["labels"] = torch.tensor(encoded.labels)
    return save(tensors, {"paths": json.dumps(encoded.paths)})


def _rows(encoded: EncodedImages) -> list[dict[str, Any]]:
    """Path, label if there are labels, and code of each image."""
    rows = []
    for number, (path, code) in enumerate(zip(encoded.paths, encoded.codes.tolist(), strict=True)):
        label = {} if encoded.labels is None else {"label": encoded.labels[number]}
        rows.append({"path": path, **label, "code": code})
    return rows


WRITERS = {".npz": _npz, ".csv": _csv, ".jsonl": _jsonl, ".safetensors": _safetensors}

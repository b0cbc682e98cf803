"""Pictures, and images of data sets, with their codes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image as PILImage
from pydantic import ValidationError
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.common.nearest import did_you_mean
from genctl.common.registry import kinds
from genctl.conditions.image import Image
from genctl.config.loading import load_data
from genctl.data.captions import FULL, text_of
from genctl.data.pictures import read_picture
from genctl.data.pixels import to_floats
from genctl.data.preprocess import preprocess
from genctl.inference import sampling
from genctl.inference.inputs import select_indices
from genctl.inference.prompts import encode_captions
from genctl.inference.resolved import CaptionCode, ImageCode, Notify
from genctl.runs.model_file import TrainedModel

DATASET = re.compile(r"(\w+):(train|test)(?:\[(.*)\])?")
"""``mnist:test[0:10]``."""


def encode_dataset(spec: str, trained: TrainedModel) -> list[ImageCode]:
    """The images of a data set that a spec like ``mnist:test[0:10]`` names, with their codes.

    Labels are given where the data set has the classes of the model.

    Raises:
        UsageError: there is no such data set or no such image.
    """
    found = DATASET.fullmatch(spec)
    assert found is not None
    kind, selection = found[1], found[3]
    split: Any = found[2]
    images = _dataset_settings(spec, kind, trained).load(split)
    indices = select_indices(selection, len(images), f"--condition {spec}")
    names = [f"{kind}:{split}[{index}]" for index in indices]
    has_labels = images.classes == trained.metadata.classes
    labels = [int(images.labels[index]) if has_labels else None for index in indices]
    return _encode(names, images.pixels[indices], labels, trained)


def dataset_captions(spec: str, trained: TrainedModel) -> list[CaptionCode]:
    """What can be said of the images that a spec like ``mnist:test[0:10]`` names, with codes.

    Raises:
        UsageError: the model was not trained on this data set, or there is no such image.
    """
    found = DATASET.fullmatch(spec)
    assert found is not None
    config = trained.metadata.config
    if found[1] != config.data.kind:
        raise UsageError(
            f"--condition {spec}: the model knows captions of {config.data.kind} alone; give words"
        )
    images = load_data(config)[("train", "test").index(found[2])]
    assert images.tokens is not None
    chosen = select_indices(found[3], len(images), f"--condition {spec}")
    words = images.tokens.at(torch.tensor(chosen), FULL).tokens.tolist()
    texts = [text_of(row, images.tokens.vocabulary) for row in words]
    return [
        replace(code, label=int(images.labels[index]))
        for index, code in zip(chosen, encode_captions(texts, trained), strict=True)
    ]


def _dataset_settings(spec: str, kind: str, trained: TrainedModel) -> Any:
    """The settings of the model's own data, or of another data set at the model's image size."""
    own = trained.metadata.config.data
    known = kinds("data")
    if kind not in known:
        near = did_you_mean(kind, known)
        raise UsageError(f"--condition {spec}: {kind} is not one of {', '.join(known)}{near}")
    if own.kind == kind:
        return own
    try:
        return known[kind].model_validate({"image_size": own.image_size, "channels": own.channels})
    except ValidationError:
        raise UsageError(
            f"--condition {spec}: the model was not trained on {kind}; give its path"
        ) from None


def encode_pictures(
    paths: list[Path], trained: TrainedModel, warn: Notify, label: int | None = None
) -> list[ImageCode]:
    """Pictures, preprocessed as the model needs them, with their codes."""
    ground = trained.metadata.config.data.transparent_ground
    pictures = (read_picture(path, ground) for path in paths)
    return encode_loaded(list(map(str, paths)), pictures, trained, warn, label)


def encode_loaded(
    names: list[str],
    pictures: Iterable[PILImage],
    trained: TrainedModel,
    warn: Notify,
    label: int | None = None,
) -> list[ImageCode]:
    """The same for pictures that are in memory, 8-bit grey or RGB."""
    shape, preprocessing = trained.metadata.config.data.shape, trained.metadata.preprocessing
    preprocessed, names_by_note = [], defaultdict(list)
    for name, picture in zip(names, pictures, strict=True):
        pixels, notes = preprocess(picture, shape, preprocessing)
        preprocessed.append(pixels)
        for note in notes:
            names_by_note[note].append(name)
    for note, affected in names_by_note.items():  # one line, however many pictures a folder holds
        others = f" and {len(affected) - 1} more" if len(affected) > 1 else ""
        warn(f"{affected[0]}{others}: {note}")
    return _encode(names, torch.stack(preprocessed), [label] * len(names), trained)


def _encode(
    names: list[str], pixels: Tensor, labels: list[int | None], trained: TrainedModel
) -> list[ImageCode]:
    """Images (N, C, H, W) uint8 of the model's size, with their codes."""
    codes = sampling.encode(trained.model, to_floats(pixels))
    z_dim = trained.model.z_dim
    return [
        ImageCode(name=name, z_dim=z_dim, picture=picture, label=label, code=code)
        for name, picture, label, code in zip(names, pixels, labels, codes, strict=True)
    ]


def require_image_encoder(spec: str, trained: TrainedModel) -> None:
    """Refuse the image ``spec`` for a model that is conditioned on labels or words.

    Raises:
        UsageError: the model is.
    """
    condition = trained.metadata.config.condition
    if not isinstance(condition, Image):
        what, instead = ("words", "text:…") if condition.kind == "text" else ("labels", "label:K")
        raise UsageError(
            f"--condition {spec}: {trained.path} is conditioned on {what}; use {instead}, or train "
            "with `condition: {kind: image}`"
        )

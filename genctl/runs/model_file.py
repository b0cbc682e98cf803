"""model.safetensors: what sampling and encoding need, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import BadContent
from genctl.common.weights import SkipInit, load_weights, prefixed, require_matching, without_prefix
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.preprocess import Preprocessing
from genctl.model import INFERENCE_ROLES, Model

CODES = ("class_codes", "training_codes")


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file holds besides tensors."""

    config: Config
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    images: int  # real images seen in training
    vocabulary: tuple[str, ...] = ()  # the words that a text encoder knows, in their order


@dataclass(frozen=True)
class TrainedModel:
    """A model file, loaded."""

    path: Path
    digest: str  # SHA-256 of weights and metadata
    metadata: ModelMetadata
    model: Model  # generator and encoder with EMA weights
    class_codes: Tensor  # (num_classes, code_dim)
    training_codes: Tensor  # (M, code_dim), of training images, for random codes


def write(
    path: Path, model: Model, class_codes: Tensor, training_codes: Tensor, metadata: ModelMetadata
) -> str:
    """Write a model file, whole or not at all; returns its digest.

    Raises:
        CannotCreate, WriteFailed: the file cannot be written.
    """
    content = prefixed("model", model.state_dict())
    content |= {"class_codes": class_codes, "training_codes": training_codes}
    values = {
        "kind": "model",
        "config": metadata.config.model_dump(mode="json"),
        "classes": list(metadata.classes),
        "preprocessing": asdict(metadata.preprocessing),
        "images": metadata.images,
    }
    if metadata.vocabulary:
        values["vocabulary"] = list(metadata.vocabulary)
    return tensors.write(path, content, values)


def read(path: Path, device: torch.device) -> TrainedModel:
    """Read a model file onto ``device``.

    Raises:
        MissingInput: the file does not exist or cannot be read.
        BadContent: it is damaged, not a model file, or does not fit its own config.
    """
    content, values, digest = tensors.read(path, "model")
    tensors.require_finite(content, path)
    metadata = _metadata(values, path)
    weights = without_prefix("model", content)
    unknown = content.keys() - {f"model.{name}" for name in weights} - set(CODES)
    if unknown:
        raise BadContent(
            f"cannot use {path}: it holds {min(unknown)}, which is not part of a model; get it "
            "again"
        )
    _require_fit(metadata, weights, path)
    with SkipInit():
        model = build_model(metadata.config, len(metadata.classes), INFERENCE_ROLES)
    load_weights(model, weights, path)
    model.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    code_dim = metadata.config.condition.code_dim
    class_codes = _codes(CODES[0], content, (len(metadata.classes), code_dim), path)
    training_codes = _codes(CODES[1], content, (-1, code_dim), path)
    return TrainedModel(path, digest, metadata, model, class_codes, training_codes)


def _require_fit(metadata: ModelMetadata, weights: dict[str, Tensor], path: Path) -> None:
    """Refuse weights that do not fit the config, before memory is allocated for it."""
    try:
        with torch.device("meta"), SkipInit():
            outline = build_model(metadata.config, len(metadata.classes), INFERENCE_ROLES)
    except (RuntimeError, TypeError, ValueError, OverflowError):  # impossible sizes
        raise BadContent(
            f"cannot use {path}: no network can be built from its config; get it again"
        ) from None
    require_matching(outline.state_dict(), weights, path)


def _codes(name: str, content: dict[str, Tensor], shape: tuple[int, int], path: Path) -> Tensor:
    """The codes ``name``, of ``shape``; -1 stands for any number above 0."""
    codes = content.get(name)
    if (
        codes is None
        or codes.dtype != torch.float32
        or codes.ndim != 2
        or codes.shape[1] != shape[1]
        or (len(codes) != shape[0] if shape[0] >= 0 else not len(codes))
    ):
        raise BadContent(f"cannot use {path}: it has no {name} of shape {shape}; get it again")
    return codes


def _metadata(values: dict[str, Any], path: Path) -> ModelMetadata:
    try:
        metadata = ModelMetadata(
            # Validated as JSON, in which tuples are lists.
            config=Config.model_validate_json(json.dumps(values["config"])),
            classes=TypeAdapter(tuple[str, ...]).validate_python(values["classes"]),
            preprocessing=TypeAdapter(Preprocessing).validate_python(values["preprocessing"]),
            images=TypeAdapter(int).validate_python(values["images"]),
            vocabulary=TypeAdapter(tuple[str, ...]).validate_python(values.get("vocabulary", ())),
        )
    except KeyError as error:
        raise BadContent(f"cannot use {path}: its metadata lack {error}; get it again") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "config"
        raise BadContent(f"cannot use {path}: {place}: {first['msg']}; get it again") from None
    for key, why in metadata.config.problems().items():
        raise BadContent(f"cannot use {path}: {key}: {why}; get it again")
    config = metadata.config.model_copy(
        update={"data": metadata.config.data.without_foreign_root()}
    )
    return replace(metadata, config=config)

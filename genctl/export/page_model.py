"""A trained model as the data of a page: JSON, and weights in fp16."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genctl.common.errors import Unavailable
from genctl.conditions.image import Image
from genctl.export import interpreter
from genctl.export.conversion import convert_classifier, convert_encoder, convert_generator
from genctl.export.directions import principal_directions
from genctl.export.interpreter import Array
from genctl.export.program import Program, in_half_precision
from genctl.inference.sampling import sample_z
from genctl.networks.layers.encoders import ImageEncoder
from genctl.runs.model_file import TrainedModel

NUM_DIRECTIONS = 6
NUM_TRAINING_CODES = 24  # for a model whose images have no classes
NUM_COMPARED = 16  # images
MAX_LEVELS = 2.0  # of 255, by which a pixel may differ from torch's
MAX_CODE_DIFFERENCE = 0.02  # of a number of a code, whose mean square is 1


@dataclass(frozen=True)
class PageModel:
    """What a page holds of a model."""

    description: dict[str, Any]
    """Programs, shapes, codes and directions, as JSON."""
    weights: bytes
    """All tensors, one after the other, as little-endian fp16."""
    largest_difference: float
    """Of a pixel from torch's, in levels of 255."""

    def tensors(self) -> list[Array]:
        """The weights, in the order of their numbers."""
        values = np.frombuffer(self.weights, dtype="<f2").astype(np.float32)
        shapes = self.description["tensors"]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(values, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def build_page_model(trained: TrainedModel) -> PageModel:
    """Convert a model, and compare it with torch.

    Args:
        trained: the model, on the CPU.

    Raises:
        UsageError: the model has a layer for which there is no operation.
        Unavailable: the operations compute something else than torch.
    """
    programs = _programs(trained)
    tensors: list[Tensor] = []
    described = {}
    for name, program in programs.items():
        described[name] = program.as_json(len(tensors))
        tensors += [in_half_precision(tensor) for tensor in program.tensors]
    model, metadata = trained.model, trained.metadata
    shape, code_dim = metadata.config.data.shape, metadata.config.condition.code_dim
    codes = trained.class_codes if len(trained.class_codes) else trained.training_codes
    description = {
        "channels": shape.channels,
        "size": shape.size,
        "z_dim": model.z_dim,
        "code_dim": code_dim,
        "condition": metadata.config.condition.kind,
        "data": metadata.config.data.kind,
        "classes": list(metadata.classes),
        "codes": _rounded(codes[: max(len(metadata.classes), NUM_TRAINING_CODES)]),
        "directions": _rounded(principal_directions(model, codes, NUM_DIRECTIONS)),
        "preprocessing": asdict(metadata.preprocessing),
        "digest": trained.digest,
        "tensors": [list(tensor.shape) for tensor in tensors],
        "programs": described,
    }
    weights = b"".join(tensor.contiguous().numpy().astype("<f2").tobytes() for tensor in tensors)
    built = PageModel(description, weights, 0.0)
    return PageModel(description, weights, _compare(built, trained))


def _programs(trained: TrainedModel) -> dict[str, Program]:
    """The networks of a model by the name that the page knows them by."""
    networks, config = trained.model.networks, trained.metadata.config
    code_dim, shape = config.condition.code_dim, config.data.shape
    generator = convert_generator(networks["generator"], trained.model.z_dim, code_dim)
    if not isinstance(config.condition, Image):
        return {"generator": generator}
    encoder = networks["encoder"]
    assert isinstance(encoder, ImageEncoder)
    programs = {
        "generator": generator,
        "encoder": convert_encoder(encoder, shape.channels, shape.size),
    }
    if trained.metadata.classes:
        programs["classifier"] = convert_classifier(encoder, code_dim)
    return programs


def _rounded(values: Tensor) -> list[list[float]]:
    return [[round(value, 6) for value in row] for row in values.tolist()]


@torch.no_grad()
def _compare(page: PageModel, trained: TrainedModel) -> float:
    """The largest difference of a pixel from torch's, in levels of 255.

    Raises:
        Unavailable: it is too large, or that of a code is.
    """
    model, programs, tensors = trained.model, page.description["programs"], page.tensors()
    z = sample_z(0, 0, NUM_COMPARED, model.z_dim)
    codes = trained.training_codes[:1].expand(NUM_COMPARED, -1)
    if "encoder" in programs:
        images = _generated_pictures(trained)
        codes = model.encode(images)
        found = interpreter.run(programs["encoder"], tensors, _channels_last(images))
        difference = float(np.abs(found.reshape(codes.shape) - codes.numpy()).max())
        _require(difference <= MAX_CODE_DIFFERENCE, "encoder", f"codes differ by {difference:.2g}")
    expected = _channels_last(model.generate(z, codes))
    found = interpreter.run(programs["generator"], tensors, z.numpy(), codes.numpy())
    levels = float(np.abs(found.clip(-1, 1) - expected.clip(-1, 1)).max() * 127.5)
    _require(levels <= MAX_LEVELS, "generator", f"pixels differ by {levels:.2g} levels")
    return levels


def _generated_pictures(trained: TrainedModel) -> Tensor:
    """Images of the kind that the model was trained on, (N, C, H, W), without the data set."""
    model = trained.model
    z = sample_z(1, 0, NUM_COMPARED, model.z_dim)
    rows = torch.arange(NUM_COMPARED) % len(trained.training_codes)
    return model.generate(z, trained.training_codes[rows]).clamp(-1, 1)


def _channels_last(images: Tensor) -> Array:
    values: Array = images.permute(0, 2, 3, 1).numpy()
    return values


def _require(is_close: bool, network: str, found: str) -> None:
    if not is_close:
        raise Unavailable(
            f"cannot export a page: with weights in fp16 the {network} computes something else "
            f"than torch ({found}); export ONNX files instead, without --page"
        )

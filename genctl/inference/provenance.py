"""The provenance that every written PNG carries, and how to generate the picture again from it."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from genctl.common.errors import BadContent
from genctl.data import pictures
from genctl.inference import layout
from genctl.inference.samples import SampleRequest, SampleSet

KEY = "genctl"  # the text chunk of a PNG


@dataclass(frozen=True)
class Provenance:
    """How a picture was generated."""

    command: str
    model: str  # path of the model file
    model_sha256: str
    request: SampleRequest
    sample_index: int | None = None  # which sample the picture shows; None for a grid of all


def provenance_of(samples: SampleSet, sample_index: int | None = None) -> Provenance:
    """The provenance of a grid, or of the picture of one sample."""
    request, trained = samples.request, samples.trained
    model = str(trained.path.resolve())
    return Provenance(_command(request, model), model, trained.digest, request, sample_index)


def png_text(provenance: Provenance) -> dict[str, str]:
    """The text chunks of a PNG."""
    return {"Software": "genctl", KEY: json.dumps(asdict(provenance))}


def read_provenance(path: Path) -> Provenance:
    """The provenance that the PNG at ``path`` carries.

    Raises:
        MissingInput, BadContent: there is no such file, or it carries no valid provenance.
    """
    picture = pictures.read_picture(path)
    with Image.open(path, formats=pictures.FORMATS) as png:
        text = str(png.info.get(KEY, ""))
    try:
        provenance = TypeAdapter(Provenance).validate_json(text)
    except ValidationError:
        raise BadContent(
            f"cannot reproduce {path}: it does not say how it was generated; only pictures "
            "written by `genctl sample` do"
        ) from None
    n = provenance.request.n
    if provenance.sample_index is None and n > picture.width * picture.height:
        raise BadContent(f"cannot reproduce {path}: it is too small to show {n:,} images")
    return provenance


def regenerate(samples: SampleSet, provenance: Provenance, batch_size: int) -> Tensor:
    """The picture (C, height, width) uint8 that ``provenance`` describes.

    Raises:
        BadContent: it describes a sample that does not exist.
    """
    index = provenance.sample_index
    if index is None:
        return layout.render_grid(samples, batch_size)
    if not 0 <= index < len(samples):
        raise BadContent(f"cannot reproduce sample {index} of {len(samples)}: damaged text")
    return samples.sample(index)


def is_identical(path: Path, pixels: Tensor) -> bool:
    """Whether the picture at ``path`` shows exactly ``pixels`` (C, height, width)."""
    return torch.equal(pictures.pil_to_tensor(pictures.read_picture(path), len(pixels)), pixels)


def _command(request: SampleRequest, model: str) -> str:
    words = ["genctl", "sample", "--run", model]
    words += ["--n", str(request.n), "--seed", str(request.seed)]
    words += [word for spec in request.conditions for word in ("--condition", spec)]
    words += ["--truncation", str(request.truncation)] if request.truncation != 1 else []
    words += ["--interpolate"] if request.interpolate else []
    words += ["--steps", str(request.steps)] if request.steps != 1 else []
    return shlex.join(words)

"""Conditions that a program hands over: specs, paths, PIL images, arrays of pixels or of codes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.data.pictures import as_grey_or_rgb
from genctl.inference.encoding import encode as encode_specs
from genctl.inference.encoding import require_encoder
from genctl.inference.picture_codes import encode_loaded, require_image_encoder
from genctl.inference.resolve import require_conditional, resolve
from genctl.inference.resolved import ImageCode, Notify, ResolvedCondition
from genctl.runs.model_file import TrainedModel

Given = str | os.PathLike[str] | Image.Image | np.ndarray
"""One condition, or an array of several."""

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA
MAX_DEVIATION = 0.01  # of the mean square of a code from 1


def resolve_given(
    conditions: Sequence[Given], trained: TrainedModel, warn: Notify, steps: int = 1
) -> list[ResolvedCondition]:
    """The conditions that a program hands over, in order.

    Args:
        conditions: specs (see ``resolve``), paths, PIL images, arrays of images, of uint8 and
            shape (H, W), (H, W, C), (N, H, W) or (N, H, W, C), or arrays of codes, of floats and
            shape (code_dim,) or (N, code_dim).
        trained: the model.
        warn: receives warnings about images that are changed.
        steps: of a mix.

    Raises:
        UsageError: the model does not take such a condition.
        MissingInput, BadContent: a file cannot be used.
    """
    require_conditional(_name(conditions[0]), trained)
    found: list[ResolvedCondition] = []
    for are_specs, group in groupby(conditions, _is_spec):
        if are_specs:
            found += resolve(list(map(_name, group)), trained, warn, steps)
            continue
        for given in group:
            if isinstance(given, np.ndarray) and np.issubdtype(given.dtype, np.floating):
                found += _given_codes(given, trained)
            else:
                found += _encode([given], trained, warn)
    return found


def encode_given(images: Sequence[Given], trained: TrainedModel, warn: Notify) -> Tensor:
    """The codes (N, code_dim) of images that a program hands over.

    Args:
        images: files, folders, globs, data sets, PIL images and arrays of images, as above.
        trained: the model.
        warn: receives warnings about images that are changed.

    Raises:
        UsageError: the model has no image encoder, or an array has another shape or type.
        MissingInput, BadContent: a file cannot be used.
    """
    require_encoder(trained)
    parts = []
    for are_specs, group in groupby(images, _is_spec):
        if are_specs:
            parts.append(encode_specs(list(map(_name, group)), trained, warn).codes)
        else:
            codes = [image.code for image in _encode(list(group), trained, warn)]
            parts.append(torch.stack(codes))
    return torch.cat(parts)


def _is_spec(given: Given) -> bool:
    return isinstance(given, str | os.PathLike)


def _name(given: Given) -> str:
    """The spec, or what messages call an image."""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    return "image" if isinstance(given, Image.Image) else "array"


def _encode(given: Sequence[Given], trained: TrainedModel, warn: Notify) -> list[ImageCode]:
    require_image_encoder(_name(given[0]), trained)
    pictures = [picture for each in given for picture in _pictures(each)]
    names = [f"image {number}" for number in range(len(pictures))]
    return encode_loaded(names, pictures, trained, warn)


def _pictures(given: Given) -> list[Image.Image]:
    if isinstance(given, Image.Image):
        return [as_grey_or_rgb(given, "the given image")]
    if not isinstance(given, np.ndarray):
        raise UsageError(
            f"condition: found {type(given).__name__}; give a spec, a path, a PIL image or an array"
        )
    if given.dtype != np.uint8:
        raise UsageError(
            f"array of {given.dtype}: images must be uint8, from 0 to 255; convert them"
        )
    is_single = given.ndim == 2 or (given.ndim == 3 and given.shape[-1] in CHANNELS)
    images = given[None] if is_single else given
    fits = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in CHANNELS)
    if not fits or not images.size:
        raise UsageError(
            f"array of shape {given.shape}: must be (H, W), (H, W, C), (N, H, W) or (N, H, W, C), "
            "with 1, 3 or 4 channels and at least one image"
        )
    return [_from_array(image, given.shape) for image in images]


def _from_array(image: np.ndarray, shape: tuple[int, ...]) -> Image.Image:
    pixels = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return as_grey_or_rgb(picture, f"an image of the array of shape {shape}")


def _given_codes(codes: np.ndarray, trained: TrainedModel) -> list[ImageCode]:
    code_dim = trained.metadata.config.condition.code_dim
    rows = torch.from_numpy(np.array(np.atleast_2d(codes), dtype=np.float32))
    if rows.ndim != 2 or rows.shape[1] != code_dim or not len(rows):
        raise UsageError(
            f"array of {codes.dtype} and shape {codes.shape}: codes of this model have the shape "
            f"(N, {code_dim}), and images must be uint8"
        )
    if not ((rows.square().mean(dim=1) - 1).abs() < MAX_DEVIATION).all():
        raise UsageError(
            f"array of {codes.dtype}: not codes, whose mean square is 1: divide each by the root "
            "of its mean square; images must be uint8"
        )
    return [
        ImageCode(name=f"code {number}", z_dim=trained.model.z_dim, code=row)
        for number, row in enumerate(rows)
    ]

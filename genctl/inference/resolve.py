"""What follows ``--condition``: from a few words to pictures and codes.

A spec is an image file, a folder or glob of images, ``label:7``, ``mnist:test[0:10]``, a codes file
``codes.npz[3]``, ``mix:A,B``, or ``noise``.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from genctl.common.errors import BadContent, UsageError
from genctl.common.registry import kinds
from genctl.common.rng import torch_rng
from genctl.conditions.image import Image
from genctl.data.pictures import read_picture, to_floats
from genctl.data.preprocess import preprocess
from genctl.inference import sampling
from genctl.inference.inputs import as_path, picture_paths, positions, read_codes
from genctl.runs.model_file import TrainedModel

DATASET = re.compile(r"(\w+):(train|test)(?:\[(.*)\])?")
CODES_FILE = re.compile(r"(.+\.npz)(?:\[(.*)\])?")

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Shown:
    """One condition: its name, the picture as the encoder saw it, and a code for each sample."""

    name: str
    picture: Tensor | None  # (C, H, W) uint8
    codes: Callable[[int, int, int], Tensor]  # (seed, first, count) -> (count, width)
    same_z: bool = False  # whether all its samples are drawn from one z
    label: int | None = None
    # What makes the z of its samples its own: thousands of pictures, one sample each, shall not
    # all have one z. Empty for conditions whose samples stand in columns of one z.
    own: tuple[str, ...] = ()


def resolve(specs: Sequence[str], trained: TrainedModel, warn: Warn, steps: int = 1) -> list[Shown]:
    """Every condition that ``specs`` name, in order; a mix goes from end to end in ``steps``.

    Raises:
        UsageError: the model cannot be shown such a thing.
        MissingInput: a file is not there.
        BadContent: a file is there but is no picture, or no codes of this model.
    """
    if not trained.metadata.config.condition.code_dim:
        raise UsageError(
            f"--condition {specs[0]}: {trained.path} is an unconditional model; a config with "
            "`condition: {kind: image}` trains a conditional one, as mnist_cgan does"
        )
    return [shown for spec in specs for shown in _resolve(spec, trained, warn, steps)]


def every_class(trained: TrainedModel) -> list[Shown]:
    """One condition for each class; noise where the model cannot be asked for classes."""
    classes = trained.metadata.classes
    if not classes or not trained.metadata.config.condition.code_dim:
        return [_noise(trained)]
    return [_label(index, trained) for index in range(len(classes))]


def _resolve(spec: str, trained: TrainedModel, warn: Warn, steps: int) -> Iterator[Shown]:
    if spec == "noise":
        yield _noise(trained)
    elif spec.startswith("label:"):
        yield _label(_class_index(spec, trained), trained)
    elif spec.startswith("mix:"):
        yield _mix(spec, trained, warn, steps)
    elif found := DATASET.fullmatch(spec):
        yield from _dataset(spec, found[1], found[2], found[3], trained)
    elif found := CODES_FILE.fullmatch(spec):
        yield from _codes_file(spec, as_path(found[1], "--condition"), found[2], trained)
    else:
        yield from _pictures(picture_paths(spec), trained, warn)


def fixed(
    name: str,
    picture: Tensor | None,
    code: Tensor,
    label: int | None = None,
    own: tuple[str, ...] | None = None,
) -> Shown:
    """A condition whose samples all have one ``code`` (width,), and z that follow it."""
    if own is None:
        # Rounded, since another device computes the last bits of a code otherwise.
        own = (hashlib.sha256((code * 16).round().int().numpy().tobytes()).hexdigest(),)
    return Shown(
        name, picture, lambda seed, first, count: code.expand(count, -1), label=label, own=own
    )


def _noise(trained: TrainedModel) -> Shown:
    condition = trained.metadata.config.condition

    def codes(seed: int, first: int, count: int) -> Tensor:
        def block(number: int) -> Tensor:
            return condition.random_codes(
                trained.training_codes, sampling.BLOCK, torch_rng(seed, "code", number)
            )

        return sampling.from_blocks(block, first, count)

    return Shown("noise", None, codes)


def _label(index: int, trained: TrainedModel) -> Shown:
    name = f"label:{trained.metadata.classes[index]}"
    return fixed(name, None, trained.class_codes[index], index, own=())


def _class_index(spec: str, trained: TrainedModel) -> int:
    name, classes = spec.removeprefix("label:"), trained.metadata.classes
    if name in classes:
        return classes.index(name)
    numbers = [str(number) for number in range(len(classes))]
    if name in numbers:
        return numbers.index(name)
    known = ", ".join(classes) if classes else "none: it was trained without labels"
    raise UsageError(f"--condition {spec}: the model has no such class; its classes are {known}")


def _mix(spec: str, trained: TrainedModel, warn: Warn, steps: int) -> Shown:
    from genctl.networks.layers.normalize import normalize

    ends = spec.removeprefix("mix:").split(",")
    if len(ends) != 2:
        raise UsageError(f"--condition {spec}: must name two conditions, as in mix:label:1,label:7")
    sides = [list(_resolve(end, trained, warn, steps)) for end in ends]
    for end, side in zip(ends, sides, strict=True):
        if len(side) != 1:
            raise UsageError(f"--condition {spec}: {end} names {len(side)} conditions; name one")

    def codes(seed: int, first: int, count: int) -> Tensor:
        start, end = (side[0].codes(seed, 0, 1) for side in sides)
        return normalize(torch.lerp(start, end, sampling.fractions(first, count, steps)))

    return Shown(spec, None, codes, same_z=True)


def _dataset(
    spec: str, kind: str, split: Any, part: str | None, trained: TrainedModel
) -> Iterator[Shown]:
    _require_image_encoder(spec, trained)
    own = trained.metadata.config.data
    known = kinds("data")
    if kind not in known:
        raise UsageError(f"--condition {spec}: {kind} is not one of {', '.join(known)}")
    form = {"image_size": own.image_size, "channels": own.channels}
    try:
        settings: Any = own if own.kind == kind else known[kind].model_validate(form)
    except ValidationError:
        raise UsageError(
            f"--condition {spec}: the model was not trained on {kind}; give its path"
        ) from None
    images = settings.load(split)
    chosen = positions(part, len(images), f"--condition {spec}")
    pixels = images.pixels[chosen]
    codes = sampling.encode(trained.model, to_floats(pixels))
    labelled = images.classes == trained.metadata.classes
    for index, picture, code in zip(chosen, pixels, codes, strict=True):
        label = int(images.labels[index]) if labelled else None
        yield fixed(f"{kind}:{split}[{index}]", picture, code, label)


def _codes_file(spec: str, path: Path, part: str | None, trained: TrainedModel) -> Iterator[Shown]:
    codes = read_codes(path)
    width = trained.metadata.config.condition.code_dim
    if codes.shape[1] != width:
        raise BadContent(
            f"cannot use {path}: its codes have width {codes.shape[1]}, the model's {width}; "
            "encode with the same model"
        )
    for index in positions(part, len(codes), f"--condition {spec}"):
        yield fixed(f"{path}[{index}]", None, codes[index])


def _pictures(paths: list[Path], trained: TrainedModel, warn: Warn) -> Iterator[Shown]:
    _require_image_encoder(str(paths[0]), trained)
    yield from encode_pictures(paths, trained, warn)


def encode_pictures(
    paths: list[Path], trained: TrainedModel, warn: Warn, label: int | None = None
) -> list[Shown]:
    """Pictures brought into the model's frame, with their codes."""
    shape, preprocessing = trained.metadata.config.data.shape, trained.metadata.preprocessing
    framed, noted = [], defaultdict(list)
    for path in paths:
        picture, notes = preprocess(read_picture(path), shape, preprocessing)
        framed.append(picture)
        for note in notes:
            noted[note].append(path)
    for note, pictures in noted.items():  # one line, however many pictures a folder holds
        others = f" and {len(pictures) - 1} more" if len(pictures) > 1 else ""
        warn(f"{pictures[0]}{others}: {note}")
    codes = sampling.encode(trained.model, to_floats(torch.stack(framed)))
    return [
        fixed(str(path), picture, code, label)
        for path, picture, code in zip(paths, framed, codes, strict=True)
    ]


def _require_image_encoder(spec: str, trained: TrainedModel) -> None:
    if not isinstance(trained.metadata.config.condition, Image):
        raise UsageError(
            f"--condition {spec}: {trained.path} is conditioned on labels; use label:K, or train "
            "with `condition: {kind: image}`"
        )

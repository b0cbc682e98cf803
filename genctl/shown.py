"""What follows ``--condition``: from a few words to pictures and codes.

A spec is an image file, a folder or glob of images, ``label:7``, ``mnist:test[0:10]``, a codes file
``codes.npz[3]``, ``mix:A,B``, or ``noise``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genctl import sampling
from genctl.conditions.image import Image
from genctl.errors import BadContent, MissingInput, UsageError
from genctl.framing import frame
from genctl.images import SUFFIXES, read_picture, to_floats
from genctl.model_file import TrainedModel
from genctl.randomness import generator
from genctl.registry import kinds

DATASET = re.compile(r"(\w+):(train|test)(?:\[(.*)\])?")
CODES_FILE = re.compile(r"(.+\.npz)(?:\[(.*)\])?")
GLOB = re.compile(r"[*?\[]")

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Shown:
    """One condition: its name, the picture as the encoder saw it, and a code for each sample."""

    name: str
    picture: Tensor | None  # (C, H, W) uint8
    codes: Callable[[int, int, int], Tensor]  # (seed, first, count) -> (count, width)
    same_z: bool = False  # whether all its samples are drawn from one z
    label: int | None = None


def resolve(specs: list[str], trained: TrainedModel, warn: Warn) -> list[Shown]:
    """Every condition that ``specs`` name, in order.

    Raises:
        UsageError: the model cannot be shown such a thing.
        MissingInput: a file is not there.
        BadContent: a file is there but is no picture, or no codes of this model.
    """
    if not trained.facts.config.condition.code_width:
        raise UsageError(
            f"--condition {specs[0]}: {trained.path} is an unconditional model; a config with "
            "`condition: {kind: image}` trains a conditional one, as mnist_cgan does"
        )
    return [shown for spec in specs for shown in _resolve(spec, trained, warn)]


def every_class(trained: TrainedModel) -> list[Shown]:
    """One condition for each class; noise where the model knows no classes."""
    classes = trained.facts.classes
    if not classes:
        return [_noise(trained)]
    return [_label(index, trained) for index in range(len(classes))]


def _resolve(spec: str, trained: TrainedModel, warn: Warn) -> Iterator[Shown]:
    path = Path(spec).expanduser()
    if spec == "noise":
        yield _noise(trained)
    elif spec.startswith("label:"):
        yield _label(_class_index(spec, trained), trained)
    elif spec.startswith("mix:"):
        yield _mix(spec, trained, warn)
    elif found := DATASET.fullmatch(spec):
        yield from _dataset(spec, found[1], found[2], found[3], trained)
    elif not path.exists() and (found := CODES_FILE.fullmatch(spec)):
        yield from _codes_file(spec, Path(found[1]), found[2], trained)
    elif path.suffix == ".npz":
        yield from _codes_file(spec, path, None, trained)
    else:
        yield from _pictures(picture_paths(spec), trained, warn)


def fixed(name: str, picture: Tensor | None, code: Tensor, label: int | None = None) -> Shown:
    """A condition whose samples all have one ``code`` (width,)."""
    return Shown(name, picture, lambda seed, first, count: code.expand(count, -1), label=label)


def _noise(trained: TrainedModel) -> Shown:
    condition = trained.facts.config.condition

    def codes(seed: int, first: int, count: int) -> Tensor:
        def block(number: int) -> Tensor:
            return condition.noise(
                trained.typical_codes, sampling.BLOCK, generator(seed, "code", number)
            )

        return sampling.from_blocks(block, first, count)

    return Shown("noise", None, codes)


def _label(index: int, trained: TrainedModel) -> Shown:
    name = f"label:{trained.facts.classes[index]}"
    return fixed(name, None, trained.class_codes[index], index)


def _class_index(spec: str, trained: TrainedModel) -> int:
    name, classes = spec.removeprefix("label:"), trained.facts.classes
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    known = ", ".join(classes) if classes else "none: it was trained without labels"
    raise UsageError(f"--condition {spec}: the model has no such class; its classes are {known}")


def _mix(spec: str, trained: TrainedModel, warn: Warn) -> Shown:
    from genctl.layers.sphere import to_sphere

    ends = spec.removeprefix("mix:").split(",")
    if len(ends) != 2:
        raise UsageError(f"--condition {spec}: must name two conditions, as in mix:label:1,label:7")
    first_code, last_code = (
        next(iter(_resolve(end, trained, warn))).codes(0, 0, 1) for end in ends
    )

    def codes(seed: int, first: int, count: int) -> Tensor:
        share = torch.linspace(0, 1, max(count, 2))[:count, None]
        return to_sphere(torch.lerp(first_code, last_code, share))

    return Shown(spec, None, codes, same_z=True)


def _dataset(
    spec: str, kind: str, split: Any, part: str | None, trained: TrainedModel
) -> Iterator[Shown]:
    _require_image_encoder(spec, trained)
    own = trained.facts.config.data
    known = kinds("data")
    if kind not in known:
        raise UsageError(f"--condition {spec}: {kind} is not one of {', '.join(known)}")
    form = {"image_size": own.image_size, "channels": own.channels}
    settings: Any = own if own.kind == kind else known[kind].model_validate(form)
    images = settings.load(split)
    chosen = positions(part, len(images), f"--condition {spec}")
    pixels = images.pixels[chosen]
    codes = sampling.encode(trained.model, to_floats(pixels))
    labelled = images.classes == trained.facts.classes
    for index, picture, code in zip(chosen, pixels, codes, strict=True):
        label = int(images.labels[index]) if labelled else None
        yield fixed(f"{kind}:{split}[{index}]", picture, code, label)


def _codes_file(spec: str, path: Path, part: str | None, trained: TrainedModel) -> Iterator[Shown]:
    codes = read_codes(path)
    width = trained.facts.config.condition.code_width
    if codes.shape[1] != width:
        raise BadContent(
            f"cannot use {path}: its codes have width {codes.shape[1]}, the model's {width}; "
            "encode with the same model"
        )
    for index in positions(part, len(codes), f"--condition {spec}"):
        yield fixed(f"{path}[{index}]", None, codes[index])


def read_codes(path: Path) -> Tensor:
    """The codes (N, width) of a file that ``genctl encode`` wrote.

    Raises:
        MissingInput, BadContent: it is not there, or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            codes = file["codes"]
    except FileNotFoundError:
        raise MissingInput(f"cannot read {path}: no such file; check the path") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadContent(f"cannot use {path}: not a file of codes: {error}") from None
    except Exception as error:  # zipfile and its decompressors raise errors of their own
        raise BadContent(f"cannot use {path}: damaged: {error}") from None
    if codes.ndim != 2 or codes.dtype != np.float32 or not np.isfinite(codes).all():
        raise BadContent(f"cannot use {path}: codes must be finite float32 of shape (N, width)")
    return torch.from_numpy(codes)


def _pictures(paths: list[Path], trained: TrainedModel, warn: Warn) -> Iterator[Shown]:
    _require_image_encoder(str(paths[0]), trained)
    pixels = torch.stack([read_framed(path, trained, warn) for path in paths])
    codes = sampling.encode(trained.model, to_floats(pixels))
    for path, picture, code in zip(paths, pixels, codes, strict=True):
        yield fixed(str(path), picture, code)


def read_framed(path: Path, trained: TrainedModel, warn: Warn) -> Tensor:
    """A picture as the encoder shall see it, (C, H, W) uint8."""
    picture, notes = frame(
        read_picture(path), trained.facts.config.data.shape, trained.facts.framing
    )
    for note in notes:
        warn(f"{path} {note}")
    return picture


def picture_paths(spec: str) -> list[Path]:
    """The pictures that a file name, a folder or a glob names.

    Raises:
        MissingInput: there is none.
    """
    path = Path(spec).expanduser()
    if path.is_dir():
        paths = sorted(found for found in path.iterdir() if found.suffix.lower() in SUFFIXES)
    elif path.exists() or not GLOB.search(spec):
        return [path]
    else:
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        paths = sorted(anchor.glob(str(path.relative_to(anchor))))
    if not paths:
        raise MissingInput(f"cannot find a picture in {spec}: check the path")
    return paths


def _require_image_encoder(spec: str, trained: TrainedModel) -> None:
    if not isinstance(trained.facts.config.condition, Image):
        raise UsageError(
            f"--condition {spec}: {trained.path} is conditioned on labels; use label:K, or train "
            "with `condition: {kind: image}`"
        )


def positions(part: str | None, count: int, option: str) -> list[int]:
    """The positions that ``3``, ``0:10`` or ``::2`` names among ``count``; None names all.

    Raises:
        UsageError: it is no index or slice, or names nothing.
    """
    if part is None:
        return list(range(count))
    words = part.split(":")
    try:
        chosen = (
            list(range(count)[slice(*(int(word) if word.strip() else None for word in words))])
            if len(words) > 1
            else [range(count)[int(part)]]
        )
    except (ValueError, TypeError, IndexError):
        raise UsageError(f"{option}: [{part}] names nothing among {count}; try [0:10]") from None
    if not chosen:
        raise UsageError(f"{option}: [{part}] names nothing among {count}; try [0:10]")
    return chosen

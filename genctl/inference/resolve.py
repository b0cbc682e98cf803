"""From the text after ``--condition`` to pictures and codes.

A spec is an image file, a folder or glob of images, ``label:7``, ``mnist:test[0:10]``, a codes file
``codes.npz[3]``, ``mix:A,B``, ``text:a thick seven``, or ``noise``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.common.nearest import did_you_mean, nearest
from genctl.common.registry import kinds
from genctl.conditions.text import Text
from genctl.inference.inputs import as_path, picture_paths, read_codes, select_indices
from genctl.inference.picture_codes import (
    DATASET,
    dataset_captions,
    encode_dataset,
    encode_pictures,
    require_image_encoder,
)
from genctl.inference.prompts import PREFIX, encode_prompt, is_prompt
from genctl.inference.resolved import (
    ClassCode,
    CodeMix,
    ImageCode,
    Notify,
    RandomCodes,
    ResolvedCondition,
)
from genctl.runs.model_file import TrainedModel

CODES_FILE = re.compile(r"(.+\.npz)(?:\[(.*)\])?")


def resolve(
    specs: Sequence[str], trained: TrainedModel, warn: Notify, steps: int = 1
) -> list[ResolvedCondition]:
    """The conditions that ``specs`` name, in order; a mix goes from end to end in ``steps``.

    Raises:
        UsageError: the model does not take such a condition.
        MissingInput: a file does not exist.
        BadContent: a file is not a picture, or does not hold codes of this model.
    """
    require_conditional(specs[0], trained)
    return [found for spec in specs for found in _resolve(spec, trained, warn, steps)]


def require_conditional(spec: str, trained: TrainedModel) -> None:
    """Refuse the condition ``spec`` for an unconditional model.

    Raises:
        UsageError: the model is one.
    """
    if not trained.metadata.config.condition.code_dim:
        raise UsageError(
            f"--condition {spec}: {trained.path} is an unconditional model; a config with "
            "`condition: {kind: image}` trains a conditional one, as mnist_cgan does"
        )


def every_class(trained: TrainedModel) -> list[ResolvedCondition]:
    """One condition for each class; noise if the model has no classes or no condition."""
    classes = trained.metadata.classes
    if not classes or not trained.metadata.config.condition.code_dim:
        return [_noise(trained)]
    return [_class_code(label, trained) for label in range(len(classes))]


def _resolve(
    spec: str, trained: TrainedModel, warn: Notify, steps: int
) -> Sequence[ResolvedCondition]:
    if spec == "noise":
        return [_noise(trained)]
    if is_prompt(spec):
        return [encode_prompt(spec, trained)]
    if spec.startswith("label:"):
        return [_class_code(_class_label(spec, trained), trained)]
    if spec.startswith("mix:"):
        return [_mix(spec, trained, warn, steps)]
    if DATASET.fullmatch(spec):
        if isinstance(trained.metadata.config.condition, Text):
            return dataset_captions(spec, trained)
        require_image_encoder(spec, trained)
        return encode_dataset(spec, trained)
    if found := CODES_FILE.fullmatch(spec):
        return _codes_file(spec, as_path(found[1], "--condition"), found[2], trained)
    paths = picture_paths(spec)
    if not paths[0].exists():
        _suggest(spec)
    require_image_encoder(str(paths[0]), trained)
    return encode_pictures(paths, trained, warn)


def _suggest(spec: str) -> None:
    """Raise an error that names what was probably meant, if there is such a thing.

    Raises:
        MissingInput: the spec begins almost like one that names no file.
    """
    word, colon, rest = spec.partition(":")
    near = nearest(
        word, ["label", "mix", "text", *kinds("data")] if colon else ["noise"], cutoff=0.8
    )
    if near:
        meant = f"{near}{colon}{rest}"
        raise MissingInput(f"cannot read {spec}: no such file; did you mean {meant!r}?")


def _noise(trained: TrainedModel) -> RandomCodes:
    return RandomCodes(
        name="noise",
        z_dim=trained.model.z_dim,
        condition=trained.metadata.config.condition,
        training_codes=trained.training_codes,
    )


def _class_code(label: int, trained: TrainedModel) -> ClassCode:
    return ClassCode(
        name=f"label:{trained.metadata.classes[label]}",
        z_dim=trained.model.z_dim,
        label=label,
        code=trained.class_codes[label],
    )


def _class_label(spec: str, trained: TrainedModel) -> int:
    name, classes = spec.removeprefix("label:"), trained.metadata.classes
    if name in classes:
        return classes.index(name)
    numbers = [str(number) for number in range(len(classes))]
    if name in numbers:
        return numbers.index(name)
    known = ", ".join(classes) if classes else "none: it was trained without labels"
    near = did_you_mean(name, classes)
    raise UsageError(
        f"--condition {spec}: the model has no such class; its classes are {known}{near}"
    )


def _mix(spec: str, trained: TrainedModel, warn: Notify, steps: int) -> CodeMix:
    ends = _mix_ends(spec)
    if len(ends) != 2:
        raise UsageError(f"--condition {spec}: must name two conditions, as in mix:label:1,label:7")
    resolved: list[ResolvedCondition] = []
    for end in ends:
        found = _resolve(end, trained, warn, steps)
        if len(found) != 1:
            raise UsageError(f"--condition {spec}: {end} names {len(found)} conditions; name one")
        resolved += found
    start, end_ = resolved
    return CodeMix(name=spec, z_dim=trained.model.z_dim, start=start, end=end_, steps=steps)


def _mix_ends(spec: str) -> list[str]:
    """The two ends; where there are prompts, which may have commas, they begin a new end."""
    ends = spec.removeprefix("mix:")
    return re.split(f",(?={PREFIX})", ends, maxsplit=1) if f",{PREFIX}" in ends else ends.split(",")


def _codes_file(
    spec: str, path: Path, selection: str | None, trained: TrainedModel
) -> list[ImageCode]:
    codes = read_codes(path)
    code_dim = trained.metadata.config.condition.code_dim
    if codes.shape[1] != code_dim:
        raise BadContent(
            f"cannot use {path}: its codes have length {codes.shape[1]}, the model's {code_dim}; "
            "encode with the same model"
        )
    return [
        ImageCode(name=f"{path}[{index}]", z_dim=trained.model.z_dim, code=codes[index])
        for index in select_indices(selection, len(codes), f"--condition {spec}")
    ]

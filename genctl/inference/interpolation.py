"""Walks from one condition, or one z, to another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.inference.in_memory import Given, resolve_given
from genctl.inference.resolve import every_class
from genctl.inference.resolved import CodeMix, Notify, ResolvedCondition, ZArc
from genctl.inference.samples import MAX_SEED
from genctl.inference.sampling import sample_z
from genctl.runs.model_file import TrainedModel


def between_conditions(
    a: Given | int, b: Given | int, steps: int, trained: TrainedModel, warn: Notify
) -> CodeMix:
    """Codes from a to b in ``steps``, with one z, as those of the spec ``mix:A,B``.

    Raises:
        UsageError: an end is not one condition.
        MissingInput, BadContent: a file cannot be used.
    """
    start, end = (_one_condition(given, steps, trained, warn) for given in (a, b))
    return CodeMix(name="a to b", z_dim=trained.model.z_dim, start=start, end=end, steps=steps)


def between_z(a: Given | int, b: Given | int, steps: int, trained: TrainedModel) -> ZArc:
    """z from a to b in ``steps``, for a model without a condition.

    Raises:
        UsageError: an end is neither a seed nor a z.
    """
    start, end = (_one_z(given, trained) for given in (a, b))
    (condition,) = every_class(trained)
    z_dim = trained.model.z_dim
    return ZArc(name="a to b", z_dim=z_dim, condition=condition, start=start, end=end, steps=steps)


def _one_condition(
    given: Given | int, steps: int, trained: TrainedModel, warn: Notify
) -> ResolvedCondition:
    if isinstance(given, int | np.integer):
        raise UsageError(
            f"interpolate: {given} is a seed, but the model is conditional; give two conditions, "
            "such as label:1"
        )
    found = resolve_given([given], trained, warn, steps)
    if len(found) != 1:
        raise UsageError(f"interpolate: an end is {len(found)} conditions; give one")
    return found[0]


def _one_z(given: Given | int, trained: TrainedModel) -> Tensor:
    z_dim = trained.model.z_dim
    if isinstance(given, int | np.integer):
        if not 0 <= given <= MAX_SEED:
            raise UsageError(f"interpolate: the seed {given} must be from 0 to {MAX_SEED}")
        return sample_z(int(given), 0, 1, z_dim)[0]
    is_z = isinstance(given, np.ndarray) and np.issubdtype(given.dtype, np.floating)
    if not is_z or np.shape(given) != (z_dim,) or not np.isfinite(given).all():  # type: ignore
        raise UsageError(
            f"interpolate: {trained.path} is an unconditional model; give two seeds, or two z, "
            f"arrays of finite floats of shape ({z_dim},)"
        )
    return torch.from_numpy(np.array(given, dtype=np.float32))

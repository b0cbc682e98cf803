"""Checkpoints: everything that resuming needs, in one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError
from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import BadContent, TooNew
from genctl.common.weights import load_weights, prefixed, require_matching, without_prefix
from genctl.runs.run import Run
from genctl.training.early_stopping import EarlyStopping
from genctl.training.state import State


@dataclass(frozen=True)
class CheckpointMetadata:
    """How far the run was, besides the tensors."""

    step: NonNegativeInt
    images: NonNegativeInt
    loss_counts: dict[str, PositiveInt]
    early_stopping: EarlyStopping
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    precision: Literal["fp32", "bf16"] | None = None


def save_checkpoint(state: State, path: Path, seconds: float, precision: str) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        state: the state.
        path: the file.
        seconds: how long all parts of the run have taken so far.
        precision: in which the run computes.

    Raises:
        Diverged: the state holds values that are not finite; nothing is written.
    """
    state.require_finite()
    sums, counts = state.losses.state()
    metadata = {
        "kind": "checkpoint",
        "step": state.step,
        "images": state.images,
        "loss_counts": counts,
        "early_stopping": asdict(state.early_stopping),
        "seconds": seconds,
        "precision": precision,
    }
    tensors.write(path, state.tensors() | prefixed("losses", sums), metadata)


def load_checkpoint(state: State, path: Path) -> CheckpointMetadata:
    """Continue from a checkpoint.

    Raises:
        BadContent: the file is damaged or belongs to another run; ``state`` is unchanged.
    """
    content, values, _ = tensors.read(path, "checkpoint")
    tensors.require_finite(content, path)
    sums = without_prefix("losses", content)
    learned = {name: value for name, value in content.items() if not name.startswith("losses.")}
    expected = state.tensors()
    if not without_prefix("augment", learned):  # written before there was one: it starts now
        expected = {k: v for k, v in expected.items() if not k.startswith("augment.")}
    require_matching(expected, learned, path)
    metadata = _metadata(values, sums, path)
    load_weights(state.model, without_prefix("model", content), path)
    load_weights(state.ema.model, without_prefix("ema", content), path)
    for role, optimizer in state.optimizers.items():
        optimizer.restore(without_prefix(f"optimizer.{role}", content))
    if state.augment is not None:
        for name, tensor in state.augment.tensors().items():
            tensor.copy_(content.get(f"augment.{name}", tensor))
    device = next(state.model.parameters()).device
    on_device = {name: value.to(device) for name, value in sums.items()}
    state.losses.restore(on_device, metadata.loss_counts)
    state.early_stopping = metadata.early_stopping
    state.step, state.images = metadata.step, metadata.images
    return metadata


def resume(state: State, run: Run, warn: Callable[[str], None]) -> CheckpointMetadata | None:
    """Continue from the newest intact checkpoint; a damaged one is renamed, with a warning.

    A checkpoint that cannot be read, or was written by a later version, is not damaged, and is
    left alone.

    Returns:
        The metadata of the checkpoint, or None where there is none.
    """
    for path in run.checkpoint_paths():
        try:
            return load_checkpoint(state, path)
        except TooNew:
            raise
        except BadContent as error:
            renamed = path.with_suffix(".damaged")
            path.rename(renamed)
            warn(f"{error}; kept as {renamed.name}, continuing from the checkpoint before it")
    return None


def _metadata(values: dict[str, Any], sums: dict[str, Tensor], path: Path) -> CheckpointMetadata:
    unusable = BadContent(f"cannot use {path}: it does not say how far the run was; delete it")
    try:
        metadata = TypeAdapter(CheckpointMetadata).validate_python(values)
    except ValidationError:
        raise unusable from None
    scalars = all(total.ndim == 0 and total.is_floating_point() for total in sums.values())
    if metadata.loss_counts.keys() != sums.keys() or not scalars:
        raise unusable
    return metadata

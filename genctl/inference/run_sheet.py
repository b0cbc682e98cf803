"""The picture that ``genctl runs --sheet`` writes: a row of samples for each run, same seed."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from genctl.common.errors import GenctlError, MissingInput
from genctl.data import pictures
from genctl.inference.resolved import Notify
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.runs import model_file
from genctl.runs.run import Run

COLUMNS = 10


def render_sheet(
    runs: Iterable[Run], device: torch.device, warn: Notify
) -> tuple[Tensor, list[Run]]:
    """Ten samples of each run that has a model: one of each class in turn, or of noise.

    Returns:
        The picture (C, height, width) uint8, and the run of each row.

    Raises:
        MissingInput: no run has a model that can be read.
    """
    rows, runs_in_rows = [], []
    for run in runs:
        if not run.model.exists():
            continue
        try:
            trained = model_file.read(run.model, device)
        except GenctlError as error:  # the other runs can still be shown
            warn(str(error))
            continue
        rows.append(SampleSet.from_request(SampleRequest(n=COLUMNS), trained).pixels(COLUMNS))
        runs_in_rows.append(run)
    if not rows:
        raise MissingInput(
            "cannot write --sheet: no run has a model yet; it is written at the first checkpoint"
        )
    side = max(row.shape[-1] for row in rows)
    channels = max(row.shape[1] for row in rows)
    return pictures.grid([list(_scaled(row, side, channels)) for row in rows]), runs_in_rows


def _scaled(images: Tensor, side: int, channels: int) -> Tensor:
    """Images (N, C, H, W) with larger pixels (sides are powers of two), grey as RGB if needed."""
    zoom = side // images.shape[-1]
    zoomed = images.repeat_interleave(zoom, dim=-1).repeat_interleave(zoom, dim=-2)
    return zoomed.expand(-1, channels, -1, -1)

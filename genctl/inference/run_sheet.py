"""The work of ``genctl runs --sheet``: a row of samples for each run, drawn with the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from genctl.common.errors import GenctlError, MissingInput
from genctl.data import pictures as images
from genctl.inference import samples as drawing
from genctl.runs import model_file
from genctl.runs.run import Run

COLUMNS = 10


def gallery(
    runs: Iterable[Run], device: torch.device, warn: Callable[[str], None]
) -> tuple[Tensor, list[Run]]:
    """Ten samples of each run that has a model: one of each class in turn, or of noise.

    Returns:
        The sheet (C, height, width) uint8, and the runs that its rows show.

    Raises:
        MissingInput: no run has a model that can be drawn from.
    """
    rows, shown = [], []
    for run in runs:
        if not run.model.exists():
            continue
        try:
            trained = model_file.read(run.model, device)
        except GenctlError as error:  # the others are worth showing
            warn(str(error))
            continue
        rows.append(_row(trained))
        shown.append(run)
    if not rows:
        raise MissingInput("cannot draw --sheet: no run has a model yet; one comes with training")
    size = max(row.shape[-1] for row in rows)
    channels = max(row.shape[1] for row in rows)
    return images.grid([list(_fitted(row, size, channels)) for row in rows]), shown


def _row(trained: model_file.TrainedModel) -> Tensor:
    """Samples (N, C, H, W), class by class."""
    order = drawing.Order(n=COLUMNS)
    return drawing.draw(order, trained, _nobody, _nobody).pixels(COLUMNS)


def _fitted(row: Tensor, size: int, channels: int) -> Tensor:
    """The same images with larger pixels (sides are powers of two), grey as colour if need be."""
    zoom = size // row.shape[-1]
    zoomed = row.repeat_interleave(zoom, dim=-1).repeat_interleave(zoom, dim=-2)
    return zoomed.expand(-1, channels, -1, -1)


def _nobody(text: str) -> None:
    """Who is told what need not be said for each run."""

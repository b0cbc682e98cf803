"""How samples are laid out in one picture: a grid, or the frames of an animation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.common.reporting import OnProgress
from genctl.data import pictures
from genctl.inference.samples import SampleSet, ignore

MIN_FRAME_SIDE = 128  # pixels of one image in an animation


def render_grid(samples: SampleSet, batch_size: int, on_progress: OnProgress = ignore) -> Tensor:
    """The samples as one grid (C, height, width) uint8.

    Raises:
        UsageError: there are too many for one picture.
    """
    _require_picture_size(samples)
    return grid(samples, samples.pixels(batch_size, on_progress))


def grid(samples: SampleSet, pixels: Tensor) -> Tensor:
    """Lay out samples (N, C, H, W) as one grid (C, height, width) uint8.

    A row for each condition, its picture in front; a square if there is a single condition.
    """
    rows = _rows(samples, [list(own) for own in pixels.split(samples.counts)])
    front = [condition.picture for condition in samples.conditions]
    if all(picture is None for picture in front):
        return pictures.grid(rows)
    blank = torch.full_like(pixels[0], pictures.BACKGROUND)
    front += [None] * (len(rows) - len(front))
    return pictures.grid(
        [
            [blank if picture is None else picture, *row]
            for picture, row in zip(front, rows, strict=True)
        ],
        first_column_gap=4,
    )


def _rows(samples: SampleSet, by_condition: list[list[Tensor]]) -> list[list[Tensor]]:
    conditions, request = samples.conditions, samples.request
    if len(conditions) == 1 and not conditions[0].is_walk:
        columns = math.ceil(math.sqrt(len(samples)))
        return [
            by_condition[0][first : first + columns] for first in range(0, len(samples), columns)
        ]
    if request.conditions or request.interpolate:
        return [row for row in by_condition if row]
    return [  # every class once per row
        [own[row] for own in by_condition if row < len(own)] for row in range(samples.counts[0])
    ]


def render_frames(
    samples: SampleSet, batch_size: int, on_progress: OnProgress = ignore
) -> list[Tensor]:
    """A walk there and back as frames (C, height, width) uint8 with all conditions.

    Raises:
        UsageError: there are too many samples.
    """
    _require_picture_size(samples)
    return frames(samples, samples.pixels(batch_size, on_progress))


def frames(samples: SampleSet, pixels: Tensor) -> list[Tensor]:
    """Lay out samples (N, C, H, W) as the frames of an animation."""
    steps = min(count for count in samples.counts if count)
    zoom = math.ceil(MIN_FRAME_SIDE / pixels.shape[-1])
    forth = [_frame(samples, pixels, step) for step in range(steps)]
    there_and_back = forth + forth[-2:0:-1]
    return [
        frame.repeat_interleave(zoom, dim=1).repeat_interleave(zoom, dim=2)
        for frame in there_and_back
    ]


def _frame(samples: SampleSet, pixels: Tensor, step: int) -> Tensor:
    own = pixels.split(samples.counts)
    pairs = [
        (condition.picture, images[step])
        for condition, images in zip(samples.conditions, own, strict=True)
        if len(images)
    ]
    if all(picture is None for picture, _ in pairs):
        return pictures.grid([[image for _, image in pairs]])
    blank = torch.full_like(pixels[0], pictures.BACKGROUND)
    return pictures.grid(
        [[blank if picture is None else picture, image] for picture, image in pairs]
    )


def _require_picture_size(samples: SampleSet) -> None:
    side = samples.trained.metadata.config.data.image_size
    if len(samples) * side**2 > pictures.MAX_PIXELS:
        raise UsageError(
            f"--n {samples.request.n}: {len(samples):,} images are too many for one picture; use "
            "--format png or npz"
        )

"""Thickness, slant, width and size of drawn strokes, as Morpho-MNIST measures them.

Castro et al. 2019, "Morpho-MNIST: quantitative assessment and diagnostics for representation
learning", appendix A. Vectorized over images: 60,000 digits take some seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from genctl.data.strokes.names import MEASURES

SCALE = 4  # images are enlarged by this before their strokes are thresholded
OUTSIDE = 0.02  # of the mass lies outside of the width, and of the height
RIDGE = 0.5  # enlarged pixels: a point of the medial axis is at most this much nearer to the edge
FIRST_REACH = 12  # enlarged pixels to which distances are looked for first
MARGIN = 2  # pixels around what an image shows
CHUNK = 64  # images at a time, which fit into a core's cache
MIN_RANGE = 2  # grey levels; an image with less contrast shows no stroke


@torch.no_grad()
def measure(pixels: Tensor) -> Tensor:
    """The measures of light strokes on a dark ground.

    Thickness is twice the mean distance from the medial axis to the edge of the stroke; slant the
    angle of the shear atan(-μ11/μ02), in degrees, positive where the top leans to the right; width
    and height are the sides of the parallelogram with that shear that leaves 2 % of the mass
    outside in either direction; size is the square root of its area. All lengths are in pixels.

    Args:
        pixels: (N, C, H, W) uint8; colours are averaged.

    Returns:
        (N, 4) float32 on the CPU, in the order of ``MEASURES``; zeros for an image without strokes.
    """
    if not len(pixels):
        return torch.empty(0, len(MEASURES))
    chunks = pixels.split(CHUNK)
    return torch.cat([_measure_chunk(chunk.cpu().float().mean(dim=1)) for chunk in chunks])


def _measure_chunk(grey: Tensor) -> Tensor:
    """Images (N, H, W), 0 to 255 -> (N, 4)."""
    lowest = grey.amin(dim=(1, 2), keepdim=True)
    contrast = grey.amax(dim=(1, 2), keepdim=True) - lowest  # (N, 1, 1)
    ink = (grey - lowest) / contrast.clamp(min=MIN_RANGE)
    shear = horizontal_shear(ink)
    width, height = bounding_parallelogram(ink, shear)
    measures = [thickness(ink), shear.atan().rad2deg(), width, (width * height).sqrt()]
    return torch.stack(measures, dim=1) * (contrast[:, :, 0] >= MIN_RANGE)


def thickness(ink: Tensor) -> Tensor:
    """Twice the mean distance (N,) from the medial axis to the edge, of images (N, H, W), 0 to 1.

    The medial axis is the ridge of the distance map: where no neighbour is clearly farther from the
    edge.
    """
    distance = distance_to_outside(enlarge(_crop(ink)) >= 0.5)  # (H, W, N)
    highest = _highest_neighbour(_highest_neighbour(distance, dim=0), dim=1)
    ridge = (distance > 0) & (distance >= highest - RIDGE)
    mean = (distance * ridge).sum(dim=(0, 1)) / ridge.sum(dim=(0, 1)).clamp(min=1)
    return 2 * mean / SCALE


def horizontal_shear(ink: Tensor) -> Tensor:
    """-μ11/μ02 (N,) of images (N, H, W): how far the top lies to the right, per unit of height."""
    across, down = _centred(ink)
    mixed = torch.einsum("nhw,nh,nw->n", ink, down, across)
    vertical = torch.einsum("nhw,nh->n", ink, down.square())
    return -mixed / vertical.clamp(min=1e-6)


def bounding_parallelogram(ink: Tensor, shear: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height (N,) of what images (N, H, W) show, after their shear (N,) is undone."""
    _, down = _centred(ink)
    height, width = ink.shape[1:]
    places = torch.arange(-height, width + height + 1)  # of the edges between upright columns
    # The mass of a row to the left of each edge, which the shear has moved along the row.
    edge = (places - (shear[:, None] * down)[:, :, None]).clamp(0, width)  # (N, H, places)
    before = edge.floor().clamp(max=width - 1)
    below = pad(ink.cumsum(dim=2), (1, 0))
    low, high = (below.gather(2, before.long() + offset) for offset in (0, 1))
    across = torch.lerp(low, high, edge - before).sum(dim=1)
    return _extent(across), _extent(pad(ink.sum(dim=2).cumsum(dim=1), (1, 0)))


def enlarge(ink: Tensor) -> Tensor:
    """Images (N, H, W), enlarged by ``SCALE`` with bicubic interpolation; (H, W, N)."""
    down, across = (_enlargement(side) for side in ink.shape[1:])
    taller = down @ ink.permute(1, 2, 0).flatten(1)  # (H', W N)
    enlarged: Tensor = across @ taller.unflatten(1, (ink.shape[2], len(ink)))
    return enlarged


def distance_to_outside(inside: Tensor) -> Tensor:
    """The Euclidean distance from each pixel inside to the nearest one outside, exact.

    First along the columns, then along the rows: Saito and Toriwaki 1994. The images come last in
    memory, so that a shift moves only the start of long rows.

    Args:
        inside: (H, W, N) bool; what is beyond the image is outside.

    Returns:
        (H, W, N) float32; 0 outside.
    """
    padded = pad(inside, (0, 0, 1, 1, 1, 1)).to(torch.int16)
    reach = FIRST_REACH
    while int((squared := _squared_distance(padded, reach)).max()) >= reach * reach:
        reach *= 2
    return squared[1:-1, 1:-1].float().sqrt()


def _squared_distance(inside: Tensor, reach: int) -> Tensor:
    """Squared distances (H, W, N) int16, exact below ``reach``."""
    left, along = inside.clone(), inside.clone()
    for _ in range(reach - 1):  # the distance along the column, by peeling
        peeled = left.clone()
        peeled[1:] *= left[:-1]
        peeled[:-1] *= left[1:]
        left = peeled
        along += left
    along *= along
    nearest = along.clone()
    for offset in range(1, reach):
        beyond = along + offset * offset
        torch.minimum(nearest[:, offset:], beyond[:, :-offset], out=nearest[:, offset:])
        torch.minimum(nearest[:, :-offset], beyond[:, offset:], out=nearest[:, :-offset])
    return nearest


def _highest_neighbour(values: Tensor, dim: int) -> Tensor:
    """The maximum of each value and the two beside it along ``dim``."""
    count = values.shape[dim] - 1
    highest = values.clone()
    after, before = highest.narrow(dim, 1, count), highest.narrow(dim, 0, count)
    torch.maximum(after, values.narrow(dim, 0, count), out=after)
    torch.maximum(before, values.narrow(dim, 1, count), out=before)
    return highest


def _crop(ink: Tensor) -> Tensor:
    """What images (N, H, W) show, moved to a corner and cut to the size of the largest."""
    occupied = ink > 0
    top, height = _spans(occupied.any(dim=2))
    left, width = _spans(occupied.any(dim=1))
    down = (torch.arange(height) + top[:, None]).clamp(max=ink.shape[1] - 1)
    across = (torch.arange(width) + left[:, None]).clamp(max=ink.shape[2] - 1)
    rows = ink.gather(1, down[:, :, None].expand(-1, -1, ink.shape[2]))
    cropped = rows.gather(2, across[:, None, :].expand(-1, height, -1))
    # Not clamped: beyond the image is nothing, and a margin lets the edges round off.
    inside = (torch.arange(height) + top[:, None] < ink.shape[1])[:, :, None]
    cropped = cropped * inside * (torch.arange(width) + left[:, None] < ink.shape[2])[:, None, :]
    return pad(cropped, (MARGIN,) * 4)


def _spans(occupied: Tensor) -> tuple[Tensor, int]:
    """The first place (N,) that is occupied in each row (N, L), and the length of the longest."""
    first = occupied.int().argmax(dim=1)
    last = occupied.shape[1] - 1 - occupied.flip(1).int().argmax(dim=1)
    return first, int((last - first).max()) + 1


def _enlargement(side: int) -> Tensor:
    """The matrix (SCALE * side, side) of a bicubic enlargement."""
    identity = torch.eye(side)[None, None]
    enlarged = interpolate(identity, size=(SCALE * side, side), mode="bicubic")
    return enlarged[0, 0]


def _centred(ink: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates across (N, W) and down (N, H) from the centre of mass."""
    height, width = ink.shape[1:]
    mass = ink.sum(dim=(1, 2)).clamp(min=1e-6)[:, None]
    x, y = torch.arange(width).float(), torch.arange(height).float()
    across = x - (ink.sum(dim=1) @ x)[:, None] / mass
    down = y - (ink.sum(dim=2) @ y)[:, None] / mass
    return across, down


def _extent(below: Tensor) -> Tensor:
    """The length (N,) that leaves half of ``OUTSIDE`` of the mass at either end.

    Args:
        below: (N, edges), the mass below each edge.
    """
    share = below / below[:, -1:].clamp(min=1e-6)
    return _quantile(share, 1 - OUTSIDE / 2) - _quantile(share, OUTSIDE / 2)


def _quantile(below: Tensor, share: float) -> Tensor:
    """Where the cumulative mass (N, edges), 0 to 1, reaches ``share``, in edges."""
    after = (below < share).sum(dim=1, keepdim=True).clamp(1, below.shape[1] - 1)
    low, high = below.gather(1, after - 1), below.gather(1, after)
    return (after - 1 + (share - low) / (high - low).clamp(min=1e-9))[:, 0]

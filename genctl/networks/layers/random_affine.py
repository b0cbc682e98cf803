"""Small random shifts, changes of size and turns of whole images."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def move(images: Tensor, shift: float, scale: float, turn: float, draw: Tensor) -> Tensor:
    """Move each image of (B, C, H, W) by its own random amount; edges are continued.

    Args:
        images: the images, any range.
        shift: largest shift along either axis, as a share of the side.
        scale: largest change of size; 0.1 is a tenth.
        turn: largest turn, in degrees.
        draw: (B, 4) in [0, 1): by how much of it.
    """
    angle, size, across, down = (2 * draw - 1).unbind(1)  # each (B,) in [-1, 1]
    angle = angle * math.radians(turn)
    size = torch.exp(size * math.log1p(scale))
    across, down = across * 2 * shift, down * 2 * shift  # the grid's side is 2
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    rows = [torch.stack([cos, -sin, across], 1), torch.stack([sin, cos, down], 1)]
    matrix = torch.stack(rows, dim=1).to(images)  # (B, 2, 3)
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)

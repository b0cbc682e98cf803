"""Small random shifts, changes of size and turns of whole images."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def move(
    images: Tensor, shift: float, scale: float, turn: float, random: torch.Generator
) -> Tensor:
    """Move each image of (B, C, H, W) by its own random amount; edges are continued.

    Args:
        images: the images, any range.
        shift: largest shift along either axis, as a share of the side.
        scale: largest change of size; 0.1 is a tenth.
        turn: largest turn, in degrees.
        random: a generator on the CPU.
    """
    draw = 2 * torch.rand(4, len(images), generator=random) - 1  # (4, B) in [-1, 1]
    angle = draw[0] * math.radians(turn)
    size = torch.exp(draw[1] * math.log1p(scale))
    across, down = draw[2:] * 2 * shift  # the grid's side is 2
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    rows = [torch.stack([cos, -sin, across], 1), torch.stack([sin, cos, down], 1)]
    matrix = torch.stack(rows, dim=1).to(images)  # (B, 2, 3)
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)

"""Random rotation, translation and scaling, as a function of given random numbers.

torchvision's `RandomAffine` draws its own random numbers, on the CPU and one image at a time; here
they come from the run's seed, and a whole batch is transformed on its device.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def random_affine(
    images: Tensor, degrees: float, translate: float, scale: float, uniform: Tensor
) -> Tensor:
    """Transform each of the images (B, C, H, W) by its own random amount; edges are repeated.

    Args:
        images: the images, in any range.
        degrees: largest rotation either way.
        translate: largest shift along either axis, as a fraction of the side.
        scale: largest change of size; 0.1 is ten per cent.
        uniform: random numbers (B, 4) in [0, 1): how much of each.
    """
    angle, size, across, down = (2 * uniform - 1).unbind(1)  # each (B,) in [-1, 1]
    angle = angle * math.radians(degrees)
    size = torch.exp(size * math.log1p(scale))
    across, down = across * 2 * translate, down * 2 * translate  # the grid's side is 2
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    rows = [torch.stack([cos, -sin, across], 1), torch.stack([sin, cos, down], 1)]
    matrix = torch.stack(rows, dim=1).to(images)  # (B, 2, 3)
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)

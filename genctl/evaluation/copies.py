"""Does the model repeat images that it was trained on?

A sample is taken for a copy if its nearest training image is nearer than a third of the distance
to the second nearest: Yoon et al. 2023, "Diffusion probabilistic models generalize when they fail
to memorize". Measured between pixels, so that it is a picture that was copied, not a kind.
"""

import torch
from torch import Tensor

RATIO = 1 / 3
ROWS = 500


def copy_rate(pixels: Tensor, trained_on: Tensor) -> float:
    """The share of copies among ``pixels`` (N, C, H, W) of ``trained_on`` (M, C, H, W), uint8."""
    references = trained_on.flatten(1).float()
    copied = []
    for rows in pixels.flatten(1).float().split(ROWS):
        two = torch.cdist(rows, references).topk(2, dim=1, largest=False).indices  # (B, 2)
        # Near zero the fast distances are rounding errors: the two that matter, once more.
        near = (rows[:, None] - references[two]).square().sum(dim=2).sqrt()
        near = near.sort(dim=1).values
        copied.append(near[:, 0] < RATIO * near[:, 1])
    return float(torch.cat(copied).double().mean())

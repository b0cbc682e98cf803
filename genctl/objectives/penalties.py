"""How steep the critic is: what R1, R2 and the gradient penalty of WGAN-GP share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.objectives.base import Score


def score_and_slope(score: Score, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B,) and their squared slopes (B,), ||d score / d image||² summed over C, H, W.

    Both can be differentiated again. Computed in float32, since a sum of a thousand squares
    loses what it measures in bfloat16.
    """
    import torch

    with torch.autocast(images.device.type, enabled=False):
        images = images.detach().float().requires_grad_()
        scores = score(images)
        (slope,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        return scores, slope.square().sum(dim=(1, 2, 3))

"""How steep the critic is: what R1, R2 and the gradient penalty of WGAN-GP share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.objectives.base import Score


def scores_and_slopes(score: Score, *batches: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The scores (B,) of each batch, and their squared slopes (B,).

    A slope is ||d score / d image||², summed over C, H, W in float32, since a sum of a thousand
    squares loses in bfloat16 what it measures. Both can be differentiated again.
    """
    import torch

    leaves = [images.detach().float().requires_grad_() for images in batches]
    scores = score.each(*leaves)
    score.treat_alike(leaves, batches)
    gradients = torch.autograd.grad(torch.stack(scores).sum(), leaves, create_graph=True)
    return scores, [gradient.square().sum(dim=(1, 2, 3)) for gradient in gradients]

"""Gradients of the critic with respect to images, for R1, R2 and the penalty of WGAN-GP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.objectives.adversarial import ConditionedCritic, CriticOutput


def outputs_and_squared_gradients(
    critic: ConditionedCritic, *batches: Tensor
) -> list[tuple[CriticOutput, Tensor]]:
    """For each batch of images the critic's output, and the squared norms (B,) of its gradients.

    A squared norm is ||d score / d image||², summed over C, H, W in float32: bfloat16 would lose
    the sum of a thousand squares. Both can be differentiated again.
    """
    import torch

    from genctl.networks.layers.conv import image_gradients

    leaves = [images.detach().float().requires_grad_() for images in batches]
    with image_gradients():
        outputs = critic(*leaves)
        scores = torch.stack([output.scores for output in outputs])
        gradients = torch.autograd.grad(scores.sum(), leaves, create_graph=True)
    return [
        (output, gradient.square().sum(dim=(1, 2, 3)))
        for output, gradient in zip(outputs, gradients, strict=True)
    ]

"""What an adversarial flow adds to a GAN: where z lies among images, and normalized gradients.

Lin et al. 2025, Adversarial Flow Models, arXiv 2511.22475.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

DECAY = 0.9  # of the running mean of squared gradients, per step
EPS = 1e-12  # added to that mean before the root


class Transport(nn.Module):
    """Keeps the running mean that gradients are divided by; has no weights.

    Args:
        z_dim: length of z.
        channels: channels of an image.
        size: height and width of an image.
    """

    mean_square: Tensor  # (): running mean of the squared gradient
    weight: Tensor  # (): how much of it is not the zero that it began with
    patterns: Tensor | None  # (z_dim, C, H, W), orthonormal; None if z is an image itself

    def __init__(self, z_dim: int, channels: int, size: int) -> None:
        super().__init__()
        self.shape = (channels, size, size)
        self.register_buffer("mean_square", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))
        is_image = z_dim == channels * size * size
        patterns = None if is_image else smoothest_patterns(z_dim, channels, size)
        self.register_buffer("patterns", patterns, persistent=False)

    def place(self, z: Tensor) -> Tensor:
        """z (B, z_dim) -> images (B, C, H, W) whose distances are those between the z."""
        if self.patterns is None:
            return z.view(-1, *self.shape)
        return (z @ self.patterns.flatten(1)).view(-1, *self.shape)

    def normalize_gradient(self, images: Tensor) -> Tensor:
        """The same images (B, C, H, W), whose gradient will be divided by its running RMS.

        The result has a root mean square of 1 / (B C H W), as that of a mean over as many numbers.
        """
        normalized: Tensor = _NormalizedGradient.apply(images, self)  # type: ignore[no-untyped-call]
        return normalized

    def batch_mean_square(self, gradient: Tensor) -> Tensor:
        """The mean square () of a gradient, times the square of the number of its elements."""
        return gradient.float().square().sum() * gradient.numel()


class _NormalizedGradient(torch.autograd.Function):
    """The identity, whose gradient is divided by its running RMS."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, transport: Transport) -> Tensor:
        ctx.transport = transport
        return images.view_as(images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        transport: Transport = ctx.transport
        square = transport.batch_mean_square(gradient)
        transport.mean_square.lerp_(square, 1 - DECAY)
        transport.weight.lerp_(torch.ones_like(transport.weight), 1 - DECAY)
        rms = (transport.mean_square / transport.weight + EPS).sqrt()
        return gradient / rms, None


def smoothest_patterns(count: int, channels: int, size: int) -> Tensor:
    """The ``count`` orthonormal patterns (count, C, H, W) of the lowest frequencies.

    They are products of cosines along both axes in one channel: the basis of the discrete cosine
    transform of type II, Ahmed et al. 1974.
    """
    position = torch.arange(size, dtype=torch.float64) + 0.5
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    waves = (math.pi / size * frequency * position).cos() * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)  # (size, size): row k is the wave of frequency k
    order = sorted(
        (down**2 + across**2, down, across, channel)
        for down in range(size)
        for across in range(size)
        for channel in range(channels)
    )
    patterns = torch.zeros(count, channels, size, size)
    for number, (_, down, across, channel) in enumerate(order[:count]):
        patterns[number, channel] = torch.outer(waves[down], waves[across])
    return patterns

"""Residual layers without normalisation: Huang et al. 2024 (R3GAN), with dense convolutions."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from genctl.networks.layers.projection import Projection

SLOPE = 0.2


class Block(nn.Module):
    """Two 3x3 convolutions around a leaky ReLU, added to what came in.

    The last convolution starts at zero, so a new network is the sum of its skips; the first is
    scaled for ``depth`` such blocks in a row: Zhang et al. 2019 (Fixup).
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        scaled_init(self.first, depth**-0.5)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, width, H, W) -> features of the same shape."""
        inner = self.first(leaky_relu(features, SLOPE))
        change: Tensor = self.last(leaky_relu(inner, SLOPE))
        return features + change


class Resample(nn.Module):
    """Bilinear doubling or halving, with a 1x1 convolution where the width changes."""

    def __init__(self, width_in: int, width_out: int, doubling: bool) -> None:
        super().__init__()
        self.doubling = doubling
        self.widen = (
            scaled_init(nn.Conv2d(width_in, width_out, 1, bias=False))
            if width_in != width_out
            else nn.Identity()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, width_in, H, W) -> (B, width_out, 2H, 2W) or (B, width_out, H/2, W/2)."""
        if self.doubling:
            # Widths fall on the way up, so the convolution goes first, where places are few.
            return interpolate(
                self.widen(features), scale_factor=2, mode="bilinear", align_corners=False
            )
        widened: Tensor = self.widen(avg_pool2d(features, 2))
        return widened


class Generator(nn.Module):
    """A learned 4x4 picture, scaled by z and the code, refined and doubled; no tanh by default."""

    def __init__(
        self,
        z_width: int,
        code_width: int,
        widths: tuple[int, ...],
        blocks: int,
        channels: int,
        tanh: bool,
    ) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.style = scaled_init(nn.Linear(z_width + code_width, widths[0], bias=False))
        self.body = nn.Sequential(*_stages(widths, blocks, doubling=True))
        self.last = scaled_init(nn.Conv2d(widths[-1], channels, 1))
        self.activation = nn.Tanh() if tanh else nn.Identity()

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """z (B, z_width), code (B, code_width) -> images (B, C, H, W)."""
        style = self.style(torch.cat([z, code], dim=1))
        features = self.body(style[:, :, None, None] * self.basis)
        images: Tensor = self.activation(self.last(leaky_relu(features, SLOPE)).float())
        return images


class Features(nn.Module):
    """Images down to one vector."""

    def __init__(self, channels: int, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.first = scaled_init(nn.Conv2d(channels, widths[0], 1))
        self.body = nn.Sequential(*_stages(widths, blocks, doubling=False))
        self.last = scaled_init(nn.Conv2d(widths[-1], widths[-1], 4, groups=widths[-1]))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> features (B, widths[-1])."""
        features: Tensor = self.last(leaky_relu(self.body(self.first(images)), SLOPE)).flatten(1)
        return features


class Critic(nn.Module):
    """Features and projection."""

    def __init__(
        self, channels: int, widths: tuple[int, ...], blocks: int, head: Projection
    ) -> None:
        super().__init__()
        self.body = Features(channels, widths, blocks)
        self.head = head

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (B, C, H, W), codes (B, code_width) -> (B, 1 + classes)."""
        verdict: Tensor = self.head(self.body(images), code)
        return verdict


def scaled_init(module: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Draw the weights so that a leaky ReLU before them keeps the size of its signal."""
    fan_in = module.weight[0].numel()
    nn.init.normal_(module.weight, std=gain * math.sqrt(2 / (1 + SLOPE**2) / fan_in))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def _stages(widths: tuple[int, ...], blocks: int, doubling: bool) -> list[nn.Module]:
    depth = blocks * len(widths)
    layers: list[nn.Module] = []
    for index, width in enumerate(widths):
        if index:
            layers.append(Resample(widths[index - 1], width, doubling))
        layers += [Block(width, depth) for _ in range(blocks)]
    return layers

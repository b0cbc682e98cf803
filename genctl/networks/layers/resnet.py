"""Residual layers without normalization: Huang et al. 2024 (R3GAN), with dense convolutions."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from genctl.networks.layers.conv import Conv2d
from genctl.networks.layers.projection import ProjectionHead

SLOPE = 0.2


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, each after a leaky ReLU, and a skip connection.

    The last convolution starts at zero, so that the block starts as the identity; the first is
    scaled for ``depth`` such blocks in a row: Zhang et al. 2019 (Fixup).
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.first = Conv2d(channels, channels, 3, padding=1)
        self.last = Conv2d(channels, channels, 3, padding=1)
        scaled_init(self.first, depth**-0.5)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) -> features of the same shape."""
        inner = self.first(leaky_relu(features, SLOPE))
        residual: Tensor = self.last(leaky_relu(inner, SLOPE))
        return features + residual


class Resample(nn.Module):
    """Bilinear doubling or halving, with a 1x1 convolution where the channels change."""

    def __init__(self, before: int, after: int, upsample: bool) -> None:
        super().__init__()
        self.upsample = upsample
        self.project = (
            scaled_init(Conv2d(before, after, 1, bias=False)) if before != after else nn.Identity()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) -> (B, C', 2H, 2W) or (B, C', H/2, W/2)."""
        if self.upsample:
            # The convolution comes first, while there are few pixels.
            return interpolate(
                self.project(features), scale_factor=2, mode="bilinear", align_corners=False
            )
        projected: Tensor = self.project(avg_pool2d(features, 2))
        return projected


class Generator(nn.Module):
    """A learned 4x4 constant, scaled by z and the code, then blocks and doublings."""

    def __init__(
        self,
        z_dim: int,
        code_dim: int,
        channels: tuple[int, ...],
        blocks: int,
        image_channels: int,
        tanh: bool,
    ) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.style = scaled_init(nn.Linear(z_dim + code_dim, channels[0], bias=False))
        self.body = nn.Sequential(*_stages(channels, blocks, upsample=True))
        self.last = scaled_init(nn.Conv2d(channels[-1], image_channels, 1))
        self.activation = nn.Tanh() if tanh else nn.Identity()

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """z (B, z_dim), code (B, code_dim) -> images (B, C, H, W)."""
        style = self.style(torch.cat([z, code], dim=1))
        features = self.body(style[:, :, None, None] * self.constant)
        images: Tensor = self.activation(self.last(leaky_relu(features, SLOPE)).float())
        return images


class FeatureExtractor(nn.Module):
    """From images to one feature vector each."""

    def __init__(self, image_channels: int, channels: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.first = scaled_init(Conv2d(image_channels, channels[0], 1))
        self.body = nn.Sequential(*_stages(channels, blocks, upsample=False))
        self.last = scaled_init(FullDepthwiseConv2d(channels[-1], size=4))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> features (B, channels[-1])."""
        features: Tensor = self.last(leaky_relu(self.body(self.first(images)), SLOPE)).flatten(1)
        return features


class FullDepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution whose kernel is as large as the features, as a product and a sum.

    torch differentiates the gradient of a grouped convolution group by group, in a loop.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__(channels, channels, size, groups=channels)

    def forward(self, input: Tensor) -> Tensor:
        """Features (B, C, S, S) -> (B, C, 1, 1)."""
        sums = (input * self.weight[:, 0]).sum(dim=(2, 3), keepdim=True)
        assert self.bias is not None
        return sums + self.bias[:, None, None]


class Critic(nn.Module):
    """A feature extractor and a projection head."""

    def __init__(
        self, image_channels: int, channels: tuple[int, ...], blocks: int, head: ProjectionHead
    ) -> None:
        super().__init__()
        self.body = FeatureExtractor(image_channels, channels, blocks)
        self.head = head

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (B, C, H, W), codes (B, code_dim) -> scores and logits (B, 1 + num_classes)."""
        output: Tensor = self.head(self.body(images), code)
        return output


def scaled_init(module: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Kaiming initialization after a leaky ReLU, times ``gain``."""
    fan_in = module.weight[0].numel()
    nn.init.normal_(module.weight, std=gain * math.sqrt(2 / (1 + SLOPE**2) / fan_in))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def _stages(channels: tuple[int, ...], blocks: int, upsample: bool) -> list[nn.Module]:
    depth = blocks * len(channels)
    layers: list[nn.Module] = []
    for index, count in enumerate(channels):
        if index:
            layers.append(Resample(channels[index - 1], count, upsample))
        layers += [Block(count, depth) for _ in range(blocks)]
    return layers

"""Layers of the convolutional family: Radford et al. 2015, with a condition."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.parametrizations import spectral_norm

from genctl.networks.layers import channels_last as flat
from genctl.networks.layers import cpu_conv as thin
from genctl.networks.layers.projection import Projection


class Modulation(nn.Module):
    """BatchNorm whose gain and bias follow a style vector: de Vries et al. 2017."""

    def __init__(self, channels: int, style_width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.style = nn.Linear(style_width, 2 * channels)
        nn.init.normal_(self.style.weight, std=0.02)
        nn.init.zeros_(self.style.bias)

    def forward(self, images: Tensor, style: Tensor) -> Tensor:
        """Features (B, C, H, W), styles (B, style_width) -> features."""
        gain, bias = self.style(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, self.norm(images), 1 + gain)


class PlainNorm(nn.BatchNorm2d):
    """BatchNorm that lets the style pass by."""

    def forward(self, images: Tensor, style: Tensor | None = None) -> Tensor:
        """Features (B, C, H, W) -> features."""
        return super().forward(images)


class Generator(nn.Module):
    """ConvTranspose2d from 1x1 to 4x4, then doubling; normalisation, ReLU; Tanh at the end."""

    def __init__(
        self, z_width: int, code_width: int, widths: tuple[int, ...], channels: int, modulated: bool
    ) -> None:
        super().__init__()
        style_width = z_width + code_width
        self.first = nn.ConvTranspose2d(style_width, widths[0], 4, 1, 0, bias=False)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(narrow, wide, 4, 2, 1, bias=False)
            for narrow, wide in pairwise(widths)
        )
        self.up.append(thin.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False))
        self.norms = nn.ModuleList(
            Modulation(width, style_width) if modulated else PlainNorm(width) for width in widths
        )

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """z (B, z_width), code (B, code_width) -> images (B, C, H, W) in [-1, 1]."""
        style = torch.cat([z, code], dim=1)
        # A transposed convolution of a single pixel is a matrix product, and that is faster.
        weight = self.first.weight.permute(0, 2, 3, 1)  # (style, 4, 4, C)
        features = linear(style, weight.flatten(1).T).unflatten(1, weight.shape[1:])
        features = features.permute(0, 3, 1, 2)
        for norm, up in zip(self.norms, self.up, strict=True):
            features = up(norm(features, style).relu_())
        images: Tensor = features.float().tanh()
        return images


class Critic(nn.Module):
    """The generator's mirror without normalisation: strided Conv2d, leaky ReLU, projection."""

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        features: int,
        head: Projection,
        spectral: bool,
    ) -> None:
        super().__init__()
        limit = spectral_norm if spectral else _unchanged
        # The first is given a view; writing into that would turn its gradients' order about.
        layers = [limit(thin.Conv2d(channels, widths[0], 4, 2, 1)), nn.LeakyReLU(0.2)]
        for narrow, wide in pairwise(widths):
            layers += [limit(nn.Conv2d(narrow, wide, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True)]
        layers += [
            flat.Flatten(),
            limit(flat.Linear(widths[-1], 4 * 4, features)),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        self.body = nn.Sequential(*layers)
        self.head = head

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (B, C, H, W), codes (B, code_width) -> (B, 1 + classes)."""
        verdict: Tensor = self.head(self.body(images), code)
        return verdict


class PooledEncoder(nn.Sequential):
    """Conv2d 3x3, then 4x4 with stride 2, ReLU after each, and the mean over all places."""

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        layers: list[nn.Module] = [
            thin.Conv2d(channels, widths[0], 3, 1, 1, bias=False),
            nn.ReLU(inplace=True),
        ]
        for narrow, wide in pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class StridedEncoder(nn.Sequential):
    """Conv2d 3x3 with stride 2, BatchNorm and ReLU after each, and all places side by side."""

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((channels, *widths)):
            kind = nn.Conv2d if layers else thin.Conv2d
            layers += [
                kind(narrow, wide, 3, 2, 1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers, nn.Flatten())


class Posterior(nn.Module):
    """An encoder that sees image and code and names a normal distribution of z."""

    def __init__(self, body: nn.Module, width: int, code_width: int, z_width: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(width + code_width, 2 * z_width)

    def forward(self, images: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Images, codes -> mean (B, z) and logarithm of the variance (B, z)."""
        seen = self.body(images)
        mean, log_variance = self.head(torch.cat([seen, code.to(seen)], 1)).float().chunk(2, 1)
        return mean, log_variance


def _unchanged(module: nn.Module) -> nn.Module:
    return module

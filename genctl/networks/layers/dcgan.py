"""Layers of the DCGAN family: Radford et al. 2015, with a condition."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.parametrizations import spectral_norm

from genctl.networks.layers import channels_last, conv, cpu_conv
from genctl.networks.layers.projection import ProjectionHead


class ConditionalBatchNorm2d(nn.Module):
    """BatchNorm whose gain and bias depend on a style vector: de Vries et al. 2017."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.style = nn.Linear(style_dim, 2 * channels)
        nn.init.normal_(self.style.weight, std=0.02)
        nn.init.zeros_(self.style.bias)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Features (B, C, H, W), style (B, style_dim) -> features."""
        gain, bias = self.style(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, self.norm(features), 1 + gain)


class UnconditionalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm that takes a style vector and ignores it."""

    def forward(self, features: Tensor, style: Tensor | None = None) -> Tensor:
        """Features (B, C, H, W) -> features."""
        return super().forward(features)


class Generator(nn.Module):
    """ConvTranspose2d from 1x1 to 4x4, then doublings; BatchNorm and ReLU; Tanh at the end.

    With channels for the image size, too, a last 3x3 layer keeps that size.
    """

    def __init__(
        self,
        z_dim: int,
        code_dim: int,
        channels: tuple[int, ...],
        image_size: int,
        image_channels: int,
        conditional_batchnorm: bool,
        code_scale: float,
        init_std: float | None,
    ) -> None:
        super().__init__()
        self.code_scale = code_scale
        style_dim = z_dim + code_dim
        self.first = nn.ConvTranspose2d(style_dim, channels[0], 4, 1, 0, bias=False)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            for before, after in pairwise(channels)
        )
        largest = 4 << (len(channels) - 1)
        geometry = (3, 1, 1) if largest == image_size else (4, 2, 1)  # kernel, stride, padding
        to_image = cpu_conv.ConvTranspose2d(channels[-1], image_channels, *geometry, bias=False)
        self.up.append(to_image)
        self.norms = nn.ModuleList(
            ConditionalBatchNorm2d(count, style_dim)
            if conditional_batchnorm
            else UnconditionalBatchNorm2d(count)
            for count in channels
        )
        if init_std is not None:
            for layer in (self.first, *self.up):
                nn.init.normal_(layer.weight, std=init_std)  # type: ignore[arg-type]

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """z (B, z_dim), code (B, code_dim) -> images (B, C, H, W) in [-1, 1]."""
        style = torch.cat([z, self.code_scale * code], dim=1)
        # A transposed convolution of a single pixel is a matrix product, which is faster.
        weight = self.first.weight.permute(0, 2, 3, 1)  # (style_dim, 4, 4, C)
        features = linear(style, weight.flatten(1).T).unflatten(1, weight.shape[1:])
        features = features.permute(0, 3, 1, 2)
        for norm, up in zip(self.norms, self.up, strict=True):
            features = up(norm(features, style).relu_())
        images: Tensor = features.float().tanh()
        return images


class Critic(nn.Module):
    """The generator's mirror image without BatchNorm: strided Conv2d, leaky ReLU, projection."""

    def __init__(
        self,
        image_channels: int,
        channels: tuple[int, ...],
        hidden_dim: int,
        head: ProjectionHead,
        spectral: bool,
    ) -> None:
        super().__init__()
        normalized = spectral_norm if spectral else _unchanged
        # The first leaky ReLU receives a view; in-place, it would transpose its gradients.
        layers = [
            normalized(cpu_conv.Conv2d(image_channels, channels[0], 4, 2, 1)),
            nn.LeakyReLU(0.2),
        ]
        for before, after in pairwise(channels):
            layers += [
                normalized(conv.Conv2d(before, after, 4, 2, 1)),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        layers += [
            channels_last.Flatten(),
            normalized(channels_last.Linear(channels[-1], 4 * 4, hidden_dim)),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        self.body = nn.Sequential(*layers)
        self.head = head

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Images (B, C, H, W), codes (B, code_dim) -> scores and logits (B, 1 + num_classes)."""
        output: Tensor = self.head(self.body(images), code)
        return output


class PooledEncoder(nn.Sequential):
    """Conv2d 3x3, then 4x4 with stride 2, ReLU after each, and global average pooling."""

    def __init__(self, image_channels: int, channels: tuple[int, ...]) -> None:
        layers: list[nn.Module] = [
            cpu_conv.Conv2d(image_channels, channels[0], 3, 1, 1, bias=False),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class StridedEncoder(nn.Sequential):
    """Conv2d 3x3 with stride 2, BatchNorm and ReLU after each, then flattened."""

    def __init__(self, image_channels: int, channels: tuple[int, ...]) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise((image_channels, *channels)):
            kind = nn.Conv2d if layers else cpu_conv.Conv2d
            layers += [
                kind(before, after, 3, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers, nn.Flatten())


class Posterior(nn.Module):
    """q(z | image, code) of a VAE: an encoder that returns a normal distribution of z."""

    def __init__(self, body: nn.Module, features: int, code_dim: int, z_dim: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features + code_dim, 2 * z_dim)

    def forward(self, images: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Images, codes -> mean (B, z_dim) and log variance (B, z_dim)."""
        features = self.body(images)
        output = self.head(torch.cat([features, code.to(features)], dim=1)).float()
        mean, log_variance = output.chunk(2, dim=1)
        return mean, log_variance


def _unchanged(module: nn.Module) -> nn.Module:
    return module

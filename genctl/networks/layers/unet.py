"""A small residual U-Net that predicts the average velocity of a flow.

Ronneberger et al. 2015, with the blocks of Dhariwal and Nichol 2021: normalization whose gain and
bias come from the times and the code. Skip connections are added, not concatenated, and images are
split into patches first, both to save time on a CPU.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle, silu

TIME_FEATURES = 32  # of each of the two times
MAX_FREQUENCY = 4.0  # radians; with higher ones u(r, t) learns nothing from u(t, t)
MAX_GROUPS = 8  # of channels that are normalized together


class UNet(nn.Module):
    """u(x, r, t, code): the average velocity from time t, where x is, to the earlier time r.

    Time 0 is the data and time 1 the noise: Geng et al. 2025 (MeanFlow). As a generator it goes
    from z at time 1 to an image at time 0.
    """

    def __init__(
        self,
        image_channels: int,
        image_size: int,
        code_dim: int,
        channels: tuple[int, ...],
        blocks: int,
        patch_size: int,
        style_dim: int,
    ) -> None:
        super().__init__()
        self.shape = (image_channels, image_size, image_size)
        self.patch_size = patch_size
        pixels = image_channels * patch_size**2
        self.style = nn.Sequential(
            nn.Linear(2 * TIME_FEATURES + code_dim, style_dim),
            nn.SiLU(),
            nn.Linear(style_dim, style_dim),
            nn.SiLU(),
        )
        self.first = nn.Conv2d(pixels, channels[0], 3, padding=1)
        self.down_blocks = _stages(channels, style_dim, blocks)
        self.up_blocks = _stages(channels, style_dim, blocks)
        self.to_coarser = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairwise(channels)
        )
        self.to_finer = nn.ModuleList(
            nn.Conv2d(after, before, 1) for before, after in pairwise(channels)
        )
        self.norm = _normalization(channels[0])
        self.last = nn.Conv2d(channels[0], pixels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, z: Tensor, code: Tensor, steps: int = 1) -> Tensor:
        """z (B, C H W), code (B, code_dim) -> images (B, C, H, W), in ``steps`` passes."""
        images = z.view(-1, *self.shape)
        for number in range(steps, 0, -1):
            t, r = number / steps, (number - 1) / steps
            now, then = (images.new_full((len(images),), time) for time in (t, r))
            images = images - (t - r) * self.velocity(images, then, now, code)
        return images

    def velocity(self, x: Tensor, r: Tensor, t: Tensor, code: Tensor) -> Tensor:
        """The average velocity between two times.

        Args:
            x: (B, C, H, W), the images at time t.
            r: (B,), the earlier time, 0 to 1.
            t: (B,), the later time, 0 to 1; where it is r, the velocity is that at this time.
            code: (B, code_dim), what the images are conditioned on.

        Returns:
            (B, C, H, W), float32.
        """
        style = self.style(torch.cat([_sinusoids(t), _sinusoids(t - r), code], dim=1))
        features = self.first(pixel_unshuffle(x, self.patch_size))
        skipped = []
        for number, stage in enumerate(self.down_blocks):
            features = self.to_coarser[number - 1](features) if number else features
            features = _apply(stage, features, style)
            skipped.append(features)
        features = _apply(self.up_blocks[-1], features, style)
        for number in range(len(self.to_finer) - 1, -1, -1):
            doubled = interpolate(self.to_finer[number](features), scale_factor=2)
            features = _apply(self.up_blocks[number], doubled + skipped[number], style)
        velocity: Tensor = pixel_shuffle(self.last(silu(self.norm(features))), self.patch_size)
        return velocity.float()


class Block(nn.Module):
    """Normalization with gain and bias from the style, then two convolutions; a residual block."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.norm = _normalization(channels)
        self.style = nn.Linear(style_dim, 2 * channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # so that the block starts as the identity
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Features (B, C, H, W), style (B, style_dim) -> features of the same shape."""
        gain, bias = self.style(style)[:, :, None, None].chunk(2, dim=1)
        normalized = self.norm(features)
        # Not 1 + gain: the derivative of the number 1 would be a tensor in the CPU's memory.
        inner = self.first(silu(torch.addcmul(normalized + bias, normalized, gain)))
        residual: Tensor = self.last(silu(inner))
        return features + residual


def _stages(channels: tuple[int, ...], style_dim: int, blocks: int) -> nn.ModuleList:
    return nn.ModuleList(
        nn.ModuleList(Block(count, style_dim) for _ in range(blocks)) for count in channels
    )


def _apply(blocks: nn.Module, features: Tensor, style: Tensor) -> Tensor:
    for block in blocks.children():
        features = block(features, style)
    return features


def _normalization(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(MAX_GROUPS, channels), channels, affine=False)


def _sinusoids(times: Tensor) -> Tensor:
    """Times (B,) -> sines and cosines (B, TIME_FEATURES) of them: Vaswani et al. 2017."""
    steps = torch.arange(TIME_FEATURES // 2, device=times.device) / (TIME_FEATURES // 2 - 1)
    angles = times.float()[:, None] * MAX_FREQUENCY**steps
    return torch.cat([angles.sin(), angles.cos()], dim=1)

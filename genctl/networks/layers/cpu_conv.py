"""Square convolutions from and to images, faster on a CPU than torch's.

An image has one channel or three, and a CPU's convolutions are optimized for dozens. Where they
are slow, the same sums are computed as a matrix product. On other devices these are torch's own.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, linear, unfold

from genctl.networks.layers import conv


class Conv2d(conv.Conv2d):
    """From images to features; faster where the images need a gradient."""

    def forward(self, input: Tensor) -> Tensor:
        """Images (B, C, S, S) -> features (B, F, S', S'), channels last."""
        if not input.is_cpu:
            return super().forward(input)
        if not input.requires_grad:
            return super().forward(_channels_last(input))
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        side = (input.shape[2] + 2 * padding - kernel) // stride + 1
        patches = unfold(input, kernel, padding=padding, stride=stride).mT  # (B, S'², C k²)
        rows = linear(patches, self.weight.flatten(1), self.bias)
        features: Tensor = rows.unflatten(1, (side, side)).permute(0, 3, 1, 2)
        return features


class ConvTranspose2d(nn.ConvTranspose2d):
    """From features to images: a matrix product yields patches, which are summed by `fold`."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Features (B, F, S, S) -> images (B, C, S', S')."""
        if not input.is_cpu:
            return super().forward(input, output_size)
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        side = (input.shape[2] - 1) * stride - 2 * padding + kernel
        positions = input.permute(0, 2, 3, 1).flatten(1, 2)  # (B, S², F)
        patches = linear(positions, self.weight.flatten(1).mT).mT  # (B, C k², S²)
        exact = patches.to(torch.promote_types(patches.dtype, torch.float32))
        images: Tensor = fold(exact, side, kernel, padding=padding, stride=stride)
        return images


def _channels_last(images: Tensor) -> Tensor:
    """Images whose strides say channels last, which torch cannot tell from one channel.

    Without it torch would return channels-first features, and slow down every layer after it.
    """
    positions = images.permute(0, 2, 3, 1)
    return positions.flatten(1).view(positions.shape).permute(0, 3, 1, 2)

"""Square convolutions between images and features, quick on a CPU.

An image has one channel or three, and a CPU's convolutions are made for dozens. Where they are
slow, the same sums are written as a matrix product. On other devices these are torch's.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, linear, unfold


class Conv2d(nn.Conv2d):
    """From images; quick in the gradient that reaches them."""

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
    """To images: every row of a matrix is a patch, and patches add up where they overlap."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Features (B, F, S, S) -> images (B, C, S', S')."""
        if not input.is_cpu:
            return super().forward(input, output_size)
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        side = (input.shape[2] - 1) * stride - 2 * padding + kernel
        places = input.permute(0, 2, 3, 1).flatten(1, 2)  # (B, S², F)
        patches = linear(places, self.weight.flatten(1).mT).mT  # (B, C k², S²)
        exact = patches.to(torch.promote_types(patches.dtype, torch.float32))
        images: Tensor = fold(exact, side, kernel, padding=padding, stride=stride)
        return images


def _channels_last(images: Tensor) -> Tensor:
    """Images whose strides say channels last, which torch does not look into for one channel.

    Otherwise it would return features in the other order, and every layer after it be slow.
    """
    places = images.permute(0, 2, 3, 1)
    return places.flatten(1).view(places.shape).permute(0, 3, 1, 2)

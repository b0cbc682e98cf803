"""Bringing a whole data set into the form that the networks want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genctl.data.base import Shape

if TYPE_CHECKING:
    from torch import Tensor

MAX_MARGIN = 4  # pixels on each side


def fit(pixels: Tensor, shape: Shape) -> Tensor:
    """Bring (N, C, H, W) uint8 pixels into ``shape``.

    A small difference in size is padded with black, which leaves every pixel as it was (MNIST
    goes from 28 to 32 this way); a larger one is resized with antialiasing.
    """
    return resize(set_channels(pixels, shape.channels), shape.size)


def set_channels(pixels: Tensor, channels: int) -> Tensor:
    """Grey to colour by repetition, colour to grey by luma (ITU-R BT.601)."""
    import torch

    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1).contiguous()
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    return (pixels * weights).sum(1, keepdim=True).round().byte()


def resize(pixels: Tensor, size: int) -> Tensor:
    """Pad by up to ``MAX_MARGIN`` on each side, else interpolate."""
    from torch.nn.functional import interpolate, pad

    missing = size - pixels.shape[-1]
    if missing == 0:
        return pixels
    if 0 < missing <= 2 * MAX_MARGIN and missing % 2 == 0:
        return pad(pixels, (missing // 2,) * 4)
    floats = interpolate(pixels.float(), size=(size, size), mode="bicubic", antialias=True)
    return floats.round().clamp(0, 255).byte()

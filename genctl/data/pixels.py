"""Tensors of pixels: from bytes to [-1, 1] and back, and the channels and size of a data set."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

MAX_MARGIN = 4  # pixels on each side


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] to uint8; values outside are clamped."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).byte()


def to_floats(pixels: Tensor) -> Tensor:
    """uint8 to [-1, 1]."""
    return pixels.float() / 127.5 - 1


def fit_to_shape(pixels: Tensor, channels: int, size: int) -> Tensor:
    """Square pixels (N, C, H, H) uint8 as (N, channels, size, size)."""
    return pad_or_resize(convert_channels(pixels, channels), size)


def convert_channels(pixels: Tensor, channels: int) -> Tensor:
    """Grey to colour by repetition, colour to grey by luma (ITU-R BT.601)."""
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1).contiguous()
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    return (pixels * weights).sum(1, keepdim=True).round().byte()


def pad_or_resize(pixels: Tensor, size: int) -> Tensor:
    """Square pixels (N, C, H, H) uint8 as (N, C, size, size).

    A small difference is padded with black, which leaves every pixel as it was (MNIST goes from 28
    to 32 this way); a larger one is resized with antialiasing.
    """
    missing = size - pixels.shape[-1]
    if missing == 0:
        return pixels
    if 0 < missing <= 2 * MAX_MARGIN and missing % 2 == 0:
        return pad(pixels, (missing // 2,) * 4)
    floats = interpolate(pixels.float(), size=(size, size), mode="bicubic", antialias=True)
    return floats.round().clamp(0, 255).byte()

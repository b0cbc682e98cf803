"""Convolutions at the images' end are torch's own sums, with their first and second derivatives."""

import pytest
import torch
from torch import Tensor, nn

from genctl.networks.layers import cpu_conv as thin

PAIRS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    "from grey images": (
        thin.Conv2d(1, 6, 4, 2, 1),
        nn.Conv2d(1, 6, 4, 2, 1),
        (3, 1, 8, 8),
    ),
    "from colours, 3x3, without bias": (
        thin.Conv2d(3, 5, 3, 1, 1, bias=False),
        nn.Conv2d(3, 5, 3, 1, 1, bias=False),
        (2, 3, 8, 8),
    ),
    "to grey images": (
        thin.ConvTranspose2d(6, 1, 4, 2, 1, bias=False),
        nn.ConvTranspose2d(6, 1, 4, 2, 1, bias=False),
        (3, 6, 4, 4),
    ),
    "to colours": (
        thin.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
        nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
        (2, 4, 4, 4),
    ),
}


def derivatives(layer: nn.Module, images: Tensor) -> list[Tensor]:
    """The result, its slopes, and the slopes of a penalty on the slope at the images."""
    images = images.clone().requires_grad_()
    result = layer(images)
    (slope,) = torch.autograd.grad(result.sin().sum(), images, create_graph=True)
    penalty = slope.square().sum() + result.square().sum()
    return [result, slope, *torch.autograd.grad(penalty, [images, *layer.parameters()])]


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_torchs_convolution(name: str) -> None:
    quick, plain, size = PAIRS[name]
    plain.load_state_dict(quick.state_dict())
    images = torch.randn(size, generator=torch.Generator().manual_seed(0)).double()
    for ours, theirs in zip(
        derivatives(quick.double(), images), derivatives(plain.double(), images), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", PAIRS)
def test_images_without_a_gradient_give_the_same(name: str) -> None:
    quick, plain, size = PAIRS[name]
    plain.load_state_dict(quick.state_dict())
    images = torch.randn(size, dtype=next(quick.parameters()).dtype)
    torch.testing.assert_close(quick(images), plain.to(images)(images))


def test_features_come_out_with_channels_last() -> None:
    layer = thin.Conv2d(1, 6, 4, 2, 1).to(memory_format=torch.channels_last)
    for images in (torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8, requires_grad=True)):
        assert layer(images).is_contiguous(memory_format=torch.channels_last)

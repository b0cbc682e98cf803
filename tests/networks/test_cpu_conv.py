"""The convolutions for CPUs equal torch's, and so do their first and second derivatives."""

import pytest
import torch
from torch import Tensor, nn

from genctl.networks.layers import cpu_conv

PAIRS: dict[str, tuple[nn.Module, nn.Module, tuple[int, ...]]] = {
    "from grey images": (
        cpu_conv.Conv2d(1, 6, 4, 2, 1),
        nn.Conv2d(1, 6, 4, 2, 1),
        (3, 1, 8, 8),
    ),
    "from colour images, 3x3, without bias": (
        cpu_conv.Conv2d(3, 5, 3, 1, 1, bias=False),
        nn.Conv2d(3, 5, 3, 1, 1, bias=False),
        (2, 3, 8, 8),
    ),
    "to grey images": (
        cpu_conv.ConvTranspose2d(6, 1, 4, 2, 1, bias=False),
        nn.ConvTranspose2d(6, 1, 4, 2, 1, bias=False),
        (3, 6, 4, 4),
    ),
    "to colour images": (
        cpu_conv.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
        nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
        (2, 4, 4, 4),
    ),
}


def derivatives(layer: nn.Module, images: Tensor) -> list[Tensor]:
    """The output, its gradient, and the gradients of a penalty on that gradient."""
    images = images.clone().requires_grad_()
    output = layer(images)
    (gradient,) = torch.autograd.grad(output.sin().sum(), images, create_graph=True)
    penalty = gradient.square().sum() + output.square().sum()
    return [output, gradient, *torch.autograd.grad(penalty, [images, *layer.parameters()])]


@pytest.mark.parametrize("name", PAIRS)
def test_output_and_derivatives_are_those_of_torch(name: str) -> None:
    fast, plain, size = PAIRS[name]
    plain.load_state_dict(fast.state_dict())
    images = torch.randn(size, generator=torch.Generator().manual_seed(0)).double()
    for ours, theirs in zip(
        derivatives(fast.double(), images), derivatives(plain.double(), images), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", PAIRS)
def test_images_that_need_no_gradient_give_the_same_output(name: str) -> None:
    fast, plain, size = PAIRS[name]
    plain.load_state_dict(fast.state_dict())
    images = torch.randn(size, dtype=next(fast.parameters()).dtype)
    torch.testing.assert_close(fast(images), plain.to(images)(images))


def test_features_are_channels_last() -> None:
    layer = cpu_conv.Conv2d(1, 6, 4, 2, 1).to(memory_format=torch.channels_last)
    for images in (torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8, requires_grad=True)):
        assert layer(images).is_contiguous(memory_format=torch.channels_last)

"""Convolutions inside ``image_gradients`` against torch's own, in float64."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from genctl.networks.layers.conv import Conv2d, image_gradients
from genctl.networks.layers.resnet import FullDepthwiseConv2d

SHAPES = [(3, 1, 1, 8), (4, 2, 1, 8), (4, 2, 1, 9), (3, 2, 1, 8), (1, 1, 0, 5), (4, 1, 0, 4)]
"""Kernel, stride, padding, side."""


def gradients_of_penalty(layer: nn.Conv2d, images: Tensor, ours: bool) -> list[Tensor]:
    """The gradients of a loss that depends on an output, and on its gradient at the images."""
    leaf = images.clone().requires_grad_()
    with image_gradients() if ours else nullcontext():
        output = layer(leaf)
        squares = output.square().sum()
        (gradient,) = torch.autograd.grad(squares, leaf, create_graph=True)
    loss = gradient.square().sum() + output.sum()
    weights = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
    return [gradient, *torch.autograd.grad(loss, [*weights, leaf])]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "padding", "side"), SHAPES)
def test_second_derivatives_are_those_of_torch(
    kernel: int, stride: int, padding: int, side: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = Conv2d(3, 5, kernel, stride, padding, bias=bias).double()
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    expected = gradients_of_penalty(layer, images, ours=False)
    actual = gradients_of_penalty(layer, images, ours=True)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_no_kernel_is_as_large_as_the_features() -> None:
    """The operation that made GPUs slow: a convolution with gradients as its kernel."""
    sizes = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func is torch.ops.aten.convolution.default:
                sizes.append(args[1].shape[2])
            return func(*args, **(kwargs or {}))

    layer, images = Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8)
    with Sizes():  # type: ignore[no-untyped-call]
        gradients_of_penalty(layer, images, ours=True)
    assert sizes
    assert max(sizes) == 3


def test_weights_get_gradients_again_after_the_block() -> None:
    layer, images = Conv2d(1, 2, 3), torch.randn(1, 1, 4, 4, requires_grad=True)
    with image_gradients():
        output = layer(images).sum()
        inside = torch.autograd.grad(output, layer.weight, retain_graph=True, allow_unused=True)
    assert [gradient is None for gradient in inside] == [True]
    (after,) = torch.autograd.grad(output, layer.weight)
    (expected,) = torch.autograd.grad(conv2d(images, layer.weight, layer.bias).sum(), layer.weight)
    torch.testing.assert_close(after, expected)


def test_under_autocast_it_computes_in_bfloat16_as_torch_does() -> None:
    torch.manual_seed(0)
    layer, images = Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        with image_gradients():
            ours = layer(images.clone().requires_grad_())
        theirs = layer(images.clone().requires_grad_())
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs)


def test_a_depthwise_convolution_of_full_size_is_that_of_torch() -> None:
    torch.manual_seed(0)
    layer = FullDepthwiseConv2d(6, size=4).double()
    images = torch.randn(3, 6, 4, 4, dtype=torch.float64)
    expected = conv2d(images, layer.weight, layer.bias, groups=6)
    torch.testing.assert_close(layer(images), expected)

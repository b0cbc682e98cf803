"""Convolutions whose gradients are cheap to differentiate, which penalties on gradients need.

torch computes the second derivative of a convolution with the gradients of its output as kernels,
kernels as large as the features: 34 ms on an H100 for a layer that otherwise takes less than 1 ms
(docs/measurements.md). Here the gradient of the input is a transposed convolution, whose own
gradients are ordinary ones. Compare `conv2d_gradfix` of Karras et al. 2021 (StyleGAN3).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d


@dataclass
class _Block:
    """One use of ``image_gradients``, shared by all convolutions inside it."""

    is_open: bool = True


_block: ContextVar[_Block | None] = ContextVar("_block", default=None)


@contextmanager
def image_gradients() -> Iterator[None]:
    """Inside the block, gradients of images are computed, to be differentiated later.

    Gradients of weights are left out until the block ends; the inner pass does not need them.
    """
    block = _Block()
    token = _block.set(block)
    try:
        yield
    finally:
        _block.reset(token)
        block.is_open = False


class Conv2d(nn.Conv2d):
    """A square convolution; torch's own, except inside ``image_gradients``."""

    def forward(self, input: Tensor) -> Tensor:
        """Features (B, C, S, S) -> features (B, F, S', S')."""
        block = _block.get()
        if block is None or not input.requires_grad:
            return super().forward(input)
        kind, dtype = input.device.type, input.dtype
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        bias = None if self.bias is None else self.bias.to(dtype)
        features: Tensor = _Convolution.apply(  # type: ignore[no-untyped-call]
            input.to(dtype), self.weight.to(dtype), bias, self.stride, self.padding, block
        )
        return features


class _Convolution(torch.autograd.Function):
    """A convolution whose backward pass consists of operations that can be differentiated."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        block: _Block,
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.stride, ctx.padding, ctx.block = stride, padding, block
        return conv2d(input, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        input, weight = ctx.saved_tensors
        (stride, _), (padding, _) = ctx.stride, ctx.padding
        input_gradient = weight_gradient = bias_gradient = None
        if ctx.needs_input_grad[0]:
            reached = (gradient.shape[2] - 1) * stride - 2 * padding + weight.shape[2]
            input_gradient = conv_transpose2d(
                gradient, weight, None, stride, padding, input.shape[2] - reached
            )
        if ctx.needs_input_grad[1] and not ctx.block.is_open:
            has_bias = ctx.needs_input_grad[2]
            _, weight_gradient, bias_gradient = torch.ops.aten.convolution_backward(
                gradient, input, weight, [weight.shape[0]] if has_bias else None, ctx.stride,
                ctx.padding, (1, 1), False, (0, 0), 1, (False, True, has_bias),
            )  # fmt: skip
        return input_gradient, weight_gradient, bias_gradient, None, None, None

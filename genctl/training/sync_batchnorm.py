"""BatchNorm over the whole batch, of which every process has only some rows.

torch's `SyncBatchNorm` computes the same, but on GPUs only.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from genctl.training.process_group import translate_communication_errors


def synchronize_batchnorm(network: nn.Module) -> None:
    """Let every BatchNorm in ``network`` use the statistics of all processes."""
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = _SynchronizedForward(layer)  # type: ignore[method-assign, assignment]


class _SynchronizedForward:
    """The forward pass of a BatchNorm layer."""

    def __init__(self, layer: _BatchNorm) -> None:
        self.layer, self.local_forward = layer, type(layer).forward

    def __call__(self, features: Tensor, *more: Any) -> Tensor:
        """Features (B, C, ...) -> features, normalized by the mean and variance of all rows."""
        layer = self.layer
        if not layer.training:
            output: Tensor = self.local_forward(layer, features, *more)
            return output
        exact = features.float()
        axes = [axis for axis in range(exact.ndim) if axis != 1]
        count = exact.numel() / exact.shape[1] * dist.get_world_size()
        mean = _AllReduceSum.apply(exact.sum(axes)) / count  # type: ignore[no-untyped-call]
        centered = exact - _expanded(mean, exact)
        squares = centered.square().sum(axes)
        variance = _AllReduceSum.apply(squares) / count  # type: ignore[no-untyped-call]
        self._update_running_statistics(mean.detach(), variance.detach() * count / (count - 1))
        normalized = centered * _expanded(torch.rsqrt(variance + layer.eps), exact)
        if layer.affine:
            weight, bias = _expanded(layer.weight, exact), _expanded(layer.bias, exact)
            normalized = normalized * weight + bias
        return normalized.to(features.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor) -> None:
        layer = self.layer
        assert layer.running_mean is not None
        assert layer.running_var is not None
        assert layer.num_batches_tracked is not None
        assert layer.momentum is not None
        layer.num_batches_tracked += 1
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance, layer.momentum)


class _AllReduceSum(torch.autograd.Function):
    """The sum over all processes. Its gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _all_reduce_sum(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _all_reduce_sum(gradient)


def _all_reduce_sum(values: Tensor) -> Tensor:
    total = values.contiguous().clone()
    with translate_communication_errors():
        dist.all_reduce(total)
    return total


def _expanded(values: Tensor, features: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (features.ndim - 2))

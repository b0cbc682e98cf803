"""BatchNorm over the whole batch, of which each process has only some rows.

torch's own `SyncBatchNorm` computes the same on GPUs; this one also runs on CPUs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def share_statistics(network: nn.Module) -> None:
    """Let every BatchNorm in ``network`` see the rows of all processes."""
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = _Shared(layer)  # type: ignore[method-assign, assignment]


class _Shared:
    """The forward pass of a BatchNorm."""

    def __init__(self, layer: _BatchNorm) -> None:
        self.layer, self.alone = layer, type(layer).forward

    def __call__(self, features: Tensor, *more: Any) -> Tensor:
        """Features (B, C, ...) -> features, normalised by mean and variance over all rows."""
        layer = self.layer
        if not layer.training:
            alone: Tensor = self.alone(layer, features, *more)
            return alone
        exact = features.float()
        others = [axis for axis in range(exact.ndim) if axis != 1]
        count = exact.numel() / exact.shape[1] * dist.get_world_size()
        mean = _Sum.apply(exact.sum(others)) / count  # type: ignore[no-untyped-call]
        apart = exact - _wide(mean, exact)
        variance = _Sum.apply(apart.square().sum(others)) / count  # type: ignore[no-untyped-call]
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        found = apart * _wide(torch.rsqrt(variance + layer.eps), exact)
        if layer.affine:
            found = found * _wide(layer.weight, exact) + _wide(layer.bias, exact)
        return found.to(features.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        layer = self.layer
        assert layer.running_mean is not None
        assert layer.running_var is not None
        assert layer.num_batches_tracked is not None
        assert layer.momentum is not None
        layer.num_batches_tracked += 1
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance, layer.momentum)


class _Sum(torch.autograd.Function):
    """The sum over all processes; what it is to each, each is told the sum of."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:  # type: ignore[override]
        total = slope.contiguous().clone()
        dist.all_reduce(total)
        return total


def _wide(values: Tensor, features: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (features.ndim - 2))

"""An adversarial flow's running mean over the whole batch, of which a process has some rows."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor, nn

from genctl.networks.layers.transport import Transport
from genctl.training.process_group import translate_communication_errors


def synchronize_transport(network: nn.Module) -> None:
    """Let every ``Transport`` in ``network`` use the mean square of all processes."""
    for layer in network.modules():
        if isinstance(layer, Transport):
            layer.batch_mean_square = _SynchronizedMeanSquare(layer)  # type: ignore[method-assign]


class _SynchronizedMeanSquare:
    """The mean of ``batch_mean_square`` over all processes."""

    def __init__(self, layer: Transport) -> None:
        self.local = layer.batch_mean_square

    def __call__(self, gradient: Tensor) -> Tensor:
        """A gradient (B, C, H, W) -> its mean square ()."""
        square = self.local(gradient).contiguous()
        with translate_communication_errors():
            dist.all_reduce(square)
        return square / dist.get_world_size()

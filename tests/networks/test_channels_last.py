"""Flattening equals torch's, and gradients keep the memory order of the features."""

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genctl.networks.layers import channels_last
from genctl.networks.layers.dcgan import Critic
from genctl.networks.layers.projection import ProjectionHead


def test_it_is_torchs_linear_layer_of_flattened_features() -> None:
    ours = nn.Sequential(channels_last.Flatten(), channels_last.Linear(6, 4 * 4, 5)).double()
    torchs = nn.Sequential(nn.Flatten(), nn.Linear(6 * 4 * 4, 5)).double()
    torchs.load_state_dict(ours.state_dict())
    features = torch.randn(3, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(ours(features), torchs(features))
    found, expected = (
        torch.autograd.grad(network(features).sin().sum(), [features, *network.parameters()])
        for network in (ours, torchs)
    )
    torch.testing.assert_close(found, expected)


class StrideRecorder(TorchDispatchMode):
    """Records the strides of gradients and features in the backward pass of each leaky ReLU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.strides: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.leaky_relu_backward.default:
            self.strides.append((args[0].stride(), args[1].stride()))
        return func(*args, **(kwargs or {}))


def test_gradients_of_the_critic_have_the_memory_order_of_its_features() -> None:
    critic = Critic(1, (8, 16, 32), 8, ProjectionHead(8, 0, 0), spectral=False)
    critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(4, 1, 32, 32, requires_grad=True)
    with StrideRecorder() as recorder:
        critic(images, torch.empty(4, 0)).sum().backward()
    assert len(recorder.strides) == 4
    assert all(gradient == features for gradient, features in recorder.strides)

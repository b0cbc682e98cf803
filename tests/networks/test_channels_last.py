"""Features become a vector with torch's sums, and no gradient comes back in another order."""

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genctl.networks.layers import channels_last as flat
from genctl.networks.layers.dcgan import Critic
from genctl.networks.layers.projection import Projection


def test_it_is_torchs_linear_map_of_flattened_features() -> None:
    ours = nn.Sequential(flat.Flatten(), flat.Linear(6, 4 * 4, 5)).double()
    torchs = nn.Sequential(nn.Flatten(), nn.Linear(6 * 4 * 4, 5)).double()
    torchs.load_state_dict(ours.state_dict())
    features = torch.randn(3, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(ours(features), torchs(features))
    mine, theirs = (
        torch.autograd.grad(way(features).sin().sum(), [features, *way.parameters()])
        for way in (ours, torchs)
    )
    torch.testing.assert_close(mine, theirs)


class Orders(TorchDispatchMode):
    """Notes the strides of gradients and features where a leaky ReLU is differentiated."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.leaky_relu_backward.default:
            self.found.append((args[0].stride(), args[1].stride()))
        return func(*args, **(kwargs or {}))


def test_gradients_pass_a_critic_in_the_order_of_its_features() -> None:
    critic = Critic(1, (8, 16, 32), 8, Projection(8, 0, 0), spectral=False)
    critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(4, 1, 32, 32, requires_grad=True)
    with Orders() as orders:
        critic(images, torch.empty(4, 0)).sum().backward()
    assert len(orders.found) == 4
    assert all(gradient == features for gradient, features in orders.found)

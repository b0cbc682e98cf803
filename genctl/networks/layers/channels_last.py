"""From features at all places to one vector, left in the order in which they lie in memory.

Convolutions leave all channels of a place side by side; in torch's own order all places of a
channel are. Bringing features into that costs little, but their gradients come back in it, and
every layer that finds gradients in one order and features in the other is slow.
"""

from torch import Tensor, nn
from torch.nn.functional import linear


class Flatten(nn.Module):
    """Place after place, each with all of its channels."""

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) -> (B, H W C)."""
        return features.permute(0, 2, 3, 1).flatten(1)


class Linear(nn.Linear):
    """A linear map of flattened features; its weights are kept in torch's order."""

    def __init__(self, channels: int, places: int, out: int) -> None:
        super().__init__(channels * places, out)
        self.channels = channels

    def forward(self, input: Tensor) -> Tensor:
        """Features (B, places * channels) -> (B, out)."""
        weight = self.weight.unflatten(1, (self.channels, -1)).mT.flatten(1)
        return linear(input, weight, self.bias)

"""Flattening that keeps features in the memory order of convolutions, which is channels last.

torch's `Flatten` copies features into channels-first order. The copy itself is cheap, but the
gradients come back in that order too, and layers whose features and gradients lie in different
orders are slow: 6 to 7 % of a whole step (docs/measurements.md).
"""

from torch import Tensor, nn
from torch.nn.functional import linear


class Flatten(nn.Module):
    """Flattens features position by position, each with all of its channels."""

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) -> (B, H W C)."""
        return features.permute(0, 2, 3, 1).flatten(1)


class Linear(nn.Linear):
    """A linear layer for the output of ``Flatten``; its weight is stored in torch's order."""

    def __init__(self, channels: int, positions: int, out_features: int) -> None:
        super().__init__(channels * positions, out_features)
        self.channels = channels

    def forward(self, input: Tensor) -> Tensor:
        """Features (B, positions * channels) -> (B, out_features)."""
        weight = self.weight.unflatten(1, (self.channels, -1)).mT.flatten(1)
        return linear(input, weight, self.bias)

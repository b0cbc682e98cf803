"""The critic's last layer: Miyato and Koyama 2018, cGANs with projection discriminator."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class ProjectionHead(nn.Module):
    """A score for the image alone, plus how well its features match the code; class logits.

    With a code of length 0, or of zeros, only the score for the image alone is left.
    """

    def __init__(self, features: int, code_dim: int, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(features, 1 + num_classes)
        # Not nn.Linear, which warns about a size of 0.
        self.projection = nn.Parameter(torch.randn(features, code_dim) * features**-0.5)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Features (B, F), codes (B, code_dim) -> (B, 1 + num_classes)."""
        projected = linear(code.to(features), self.projection) * max(code.shape[1], 1) ** -0.5
        score, logits = self.head(features).float().tensor_split([1], dim=1)
        match = (projected * features).sum(1, keepdim=True).float()
        return torch.cat([score + match, logits], dim=1)

"""The end of a critic: Miyato and Koyama 2018, cGANs with projection discriminator."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Projection(nn.Module):
    """A score for the image alone, plus how well its features agree with the code.

    A code of width 0, or a code that is zero, leaves the score for the image alone. Beside the
    score stand the logits of the classes, if there are any.
    """

    def __init__(self, features: int, code_width: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(features, 1 + classes)
        # Not nn.Linear: that warns about width 0.
        self.agreement = nn.Parameter(torch.randn(features, code_width) * features**-0.5)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Features (B, F), codes (B, code_width) -> (B, 1 + classes)."""
        expected = linear(code.to(features), self.agreement) * max(code.shape[1], 1) ** -0.5
        score, logits = self.head(features).float().tensor_split([1], dim=1)
        agreement = (expected * features).sum(1, keepdim=True).float()
        return torch.cat([score + agreement, logits], dim=1)

"""Encoders: from what is shown to a code on the sphere."""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from genctl.networks.layers.normalize import to_sphere


class LabelEncoder(nn.Module):
    """A code for each class."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(classes, width))

    def forward(self, labels: Tensor) -> Tensor:
        """Labels (B,) -> codes (B, width)."""
        return to_sphere(embedding(labels, self.table))


class ImageEncoder(nn.Module):
    """A body that reads images, and a head that names their class."""

    def __init__(self, body: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head: nn.Module = nn.Linear(width, classes) if classes else Nameless()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> codes (B, width)."""
        return to_sphere(self.body(images))

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images -> codes (B, width) and the logits of their classes (B, classes)."""
        code = self(images)
        return code, self.head(code).float()


class Nameless(nn.Module):
    """The head for images without classes."""

    def forward(self, code: Tensor) -> Tensor:
        """Codes (B, width) -> logits (B, 0)."""
        return code[:, :0]

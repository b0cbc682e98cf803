"""Condition encoders: from labels or images to normalized codes."""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from genctl.networks.layers.normalize import normalize


class LabelEncoder(nn.Module):
    """One learned code for each class."""

    def __init__(self, num_classes: int, code_dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(num_classes, code_dim))

    def forward(self, labels: Tensor) -> Tensor:
        """Labels (B,) -> codes (B, code_dim)."""
        return normalize(embedding(labels, self.table))


class ImageEncoder(nn.Module):
    """Convolutions that turn an image into a code, and a linear classifier of the code."""

    def __init__(self, body: nn.Module, code_dim: int, num_classes: int) -> None:
        super().__init__()
        self.body = body
        self.head: nn.Module = nn.Linear(code_dim, num_classes) if num_classes else NoLogits()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> codes (B, code_dim)."""
        return normalize(self.body(images))

    def classify(self, code: Tensor) -> Tensor:
        """Codes (B, code_dim) -> class logits (B, num_classes)."""
        logits: Tensor = self.head(code).float()
        return logits

    def correct(self, code: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Reflect misclassified codes in the boundary between the predicted class and their own.

        Args:
            code: (B, code_dim).
            logits: (B, num_classes) of the codes.
            labels: (B,) int64.

        Returns:
            Codes (B, code_dim), not normalized; those of recognized classes are unchanged. The
            shift carries no gradient.
        """
        assert isinstance(self.head, nn.Linear)
        with torch.no_grad():
            highest, predicted = logits.max(dim=1, keepdim=True)
            excess = highest - logits.take_along_dim(labels[:, None], dim=1)
            own, other = embedding(torch.stack([labels, predicted[:, 0]]), self.head.weight)
            normal = own - other  # of the boundary
            length = torch.linalg.vector_norm(normal, dim=1, keepdim=True).clamp(min=1e-4)
            shift: Tensor = 2 * excess / length.square() * normal
        return code + shift


class NoLogits(nn.Module):
    """The classifier for images without classes."""

    def forward(self, code: Tensor) -> Tensor:
        """Codes (B, code_dim) -> logits (B, 0)."""
        return code[:, :0]

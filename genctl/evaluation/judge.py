"""The judge: a small classifier of the real images, whose last layer is the space of all scores.

Heusel et al. 2017 measure in the features of Inception, which was made for photographs. A
classifier of the very data set sees what matters in it, and needs no download. Its scores compare
with each other, never with those of another judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genctl.data.base import Shape
from genctl.data.pixels import to_floats
from genctl.evaluation.fid import Gaussian

WIDTH = 128  # features of an image
LANE = 250  # images that are looked at together


class JudgeNetwork(nn.Module):
    """Convolutions that halve an image down to 4x4, features, and a class for each image."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        width = 24 if shape.channels == 1 else 48
        layers = [_convolution(shape.channels, width, kernel=5, stride=2)]
        size = shape.size // 2
        before = width
        while size > 4:
            after = min(2 * before, 4 * width)
            layers += [_convolution(before, after), nn.MaxPool2d(2)]
            size, before = size // 2, after
        layers += [_convolution(before, 4 * width), nn.Flatten()]
        layers += [nn.Linear(4 * width * size * size, WIDTH, bias=False), nn.BatchNorm1d(WIDTH)]
        self.body = nn.Sequential(*layers, nn.ReLU())
        self.head = nn.Linear(WIDTH, classes)
        # Set after training, so that the features of all judges vary by as much.
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(()))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) in [-1, 1] -> features (B, WIDTH) and logits (B, classes)."""
        features = self.body(images.to(memory_format=torch.channels_last))
        return features * self.scale, self.head(features)


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


@dataclass(frozen=True)
class Seen:
    """What a judge makes of images."""

    features: Tensor  # (N, d) float64 on the CPU
    labels: Tensor  # (N,) int64 on the CPU: the class that each looks like

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: Tensor | slice) -> Seen:
        return Seen(self.features[index], self.labels[index])


@torch.inference_mode()
def look(network: JudgeNetwork, pixels: Tensor) -> Seen:
    """Look at uint8 pixels (N, C, H, W)."""
    features, labels = [], []
    for lane in pixels.split(LANE):
        seen, logits = network(to_floats(lane.to(network.scale.device)))
        features.append(seen.double().cpu())
        labels.append(logits.argmax(dim=1).cpu())
    return Seen(torch.cat(features), torch.cat(labels))


@dataclass(frozen=True)
class Judge:
    """A trained judge, and what it makes of the training images."""

    network: JudgeNetwork
    training: Gaussian  # the features of all training images
    accuracy: float  # on the held-out images
    digest: str  # SHA-256 of weights and metadata
    version: int

    def look(self, pixels: Tensor) -> Seen:
        """Look at uint8 pixels (N, C, H, W)."""
        return look(self.network, pixels)

"""The judge: a small classifier of the real images, in whose features everything is measured.

Heusel et al. 2017 measure in the features of Inception, which was trained on photographs. A
classifier of the data set at hand represents what matters there, and needs no download. Its scores
compare with each other, never with those of another judge. Of images without classes the judge
learns to recognize each one after a transformation instead (``judge_training``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genctl.common.devices import without_tf32
from genctl.data.base import Images, Shape
from genctl.data.pixels import to_floats
from genctl.evaluation.fid import Gaussian

FEATURE_DIM = 128
BASE_SIZE = 32  # of images; the first layers of larger ones are narrower, since they cost the most
MIN_CHANNELS = 8
BATCH_SIZE = 250


class JudgeNetwork(nn.Module):
    """Convolutions down to 4x4, then the features, then a linear layer for the classes."""

    def __init__(self, shape: Shape, num_classes: int) -> None:
        super().__init__()
        channels = 24 if shape.channels == 1 else 48
        size = shape.size // 2
        inner = max(channels * BASE_SIZE // max(shape.size, BASE_SIZE), MIN_CHANNELS)
        layers = [_convolution(shape.channels, inner, kernel=5, stride=2)]
        while size > 4:
            outer = min(2 * inner, 4 * channels)
            layers += [_convolution(inner, outer), nn.MaxPool2d(2)]
            size, inner = size // 2, outer
        layers += [_convolution(inner, 4 * channels), nn.Flatten()]
        layers += [nn.Linear(4 * channels * size * size, FEATURE_DIM, bias=False)]
        layers += [nn.BatchNorm1d(FEATURE_DIM)]
        self.body = nn.Sequential(*layers, nn.ReLU())
        self.head = nn.Linear(FEATURE_DIM, num_classes)
        # Set after training, so that the features of all judges have the same variance.
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(()))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) in [-1, 1] -> features (B, FEATURE_DIM), logits (B, num_classes)."""
        features = self.body(images.to(memory_format=torch.channels_last))
        return features * self.scale, self.head(features)


def _convolution(
    in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


@dataclass(frozen=True)
class JudgeOutput:
    """The features and the predicted classes of images."""

    features: Tensor  # (N, d) float64 on the CPU
    labels: Tensor  # (N,) int64 on the CPU: the most probable class of each image


@torch.inference_mode()
def classify(network: JudgeNetwork, pixels: Tensor) -> JudgeOutput:
    """Compute features and classes of pixels (N, C, H, W) uint8."""
    features, labels = [], []
    with without_tf32():
        for batch in pixels.split(BATCH_SIZE):
            batch_features, logits = network(to_floats(batch.to(network.scale.device)))
            features.append(batch_features)
            labels.append(logits.argmax(dim=1))
    return JudgeOutput(torch.cat(features).cpu().double(), torch.cat(labels).cpu())


@dataclass(frozen=True)
class Judge:
    """A trained judge."""

    network: JudgeNetwork
    training: Gaussian  # of the features of all training images
    accuracy: float  # on the test images
    digest: str  # SHA-256 of weights and metadata
    version: int
    features = "judge"
    """What results call the feature space."""

    def describe(self, count: int) -> str:
        """How good the judge is, by ``count`` test images."""
        return f"accuracy of the judge: {self.accuracy:.2%} of {count:,} test images"

    def classify(self, pixels: Tensor) -> JudgeOutput:
        """Compute features and classes of pixels (N, C, H, W) uint8."""
        return classify(self.network, pixels)


@dataclass(frozen=True)
class SelfSupervisedJudge(Judge):
    """A judge of images without classes.

    Its accuracy is the share of test images that it recognizes, transformed, among the others.
    """

    features = "self-supervised"

    def describe(self, count: int) -> str:
        """How good the judge is, by ``count`` test images."""
        return (
            f"judge: features learned without labels; it recognizes {self.accuracy:.2%} of "
            f"{count:,} transformed test images"
        )

    def classify(self, pixels: Tensor) -> JudgeOutput:
        """Compute features of pixels (N, C, H, W) uint8; all are of the one class there is."""
        output = super().classify(pixels)
        return JudgeOutput(output.features, torch.zeros_like(output.labels))


@dataclass(frozen=True)
class ComponentJudge(Judge):
    """The judge of images whose channels are independent images, as in stacked MNIST.

    It classifies every channel alone. The features of an image are those of its channels,
    concatenated; its class is the number whose digits are the classes of its channels.
    """

    channels: int

    @classmethod
    def of(cls, judge: Judge, channels: int) -> ComponentJudge:
        """Apply ``judge`` to each channel of images with that many channels."""
        single = judge.training
        # Exact for the distribution of all stacks, because the channels are independent.
        training = Gaussian(
            single.mean.repeat(channels), torch.block_diag(*[single.covariance] * channels)
        )
        return cls(judge.network, training, judge.accuracy, judge.digest, judge.version, channels)

    def classify(self, pixels: Tensor) -> JudgeOutput:
        """Compute features (N, channels * d) and classes of pixels (N, channels, H, W) uint8."""
        output = super().classify(split_channels(pixels))
        features = output.features.unflatten(0, (-1, self.channels)).flatten(1)
        digits = output.labels.unflatten(0, (-1, self.channels))
        num_classes = self.network.head.out_features
        labels = (digits * _place_values(self.channels, num_classes)).sum(dim=1)
        return JudgeOutput(features, labels)


def split_channels(pixels: Tensor) -> Tensor:
    """Images (N, C, H, W) -> their channels as images (N * C, 1, H, W), image by image."""
    return pixels.flatten(0, 1)[:, None]


def unstack(images: Images, components: Images) -> Images:
    """The channels of ``images`` as labelled images, with the classes of ``components``."""
    channels, num_classes = images.shape.channels, len(components.classes)
    place_values = _place_values(channels, num_classes).to(images.device)
    digits = images.labels[:, None] // place_values % num_classes
    return Images(split_channels(images.pixels), digits.flatten(), components.classes)


def _place_values(count: int, base: int) -> Tensor:
    """The value of each digit's place in a number: 100, 10, 1."""
    return base ** torch.arange(count).flip(0)

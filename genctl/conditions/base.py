"""The interface of a condition: which images the encoder sees, and how they become codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genctl.common.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from genctl.data.base import Data, Images, Shape
    from genctl.data.batch import Batch
    from genctl.data.batch_noise import BatchNoise
    from genctl.data.captions import CaptionBatch
    from genctl.networks.base import Networks


@dataclass(frozen=True)
class Codes:
    """The codes of a batch."""

    generator: Tensor  # (B, code_dim)
    critic: Tensor  # (B, critic_code_dim), no gradient: what the critic is conditioned on
    terms: dict[str, Tensor] = field(default_factory=dict)  # the encoder's own losses


@dataclass(frozen=True)
class ConditionedImages:
    """The real images of a batch, and the images that the encoder sees."""

    real: Tensor  # (B, C, H, W) in [-1, 1]: what the critic sees as real
    condition_images: Tensor  # (B, C, H, W) in [-1, 1]: what the encoder sees
    labels: Tensor  # (B,) int64
    caption: CaptionBatch | None = None  # of each image


class Condition(Settings):
    """What says which images to generate, and how it becomes a code."""

    kind: str

    if TYPE_CHECKING:  # pydantic does not let a field override a property

        @property
        def code_dim(self) -> int:
            """Length of a code; 0 means that there is no condition."""

    def critic_code_dim(self, num_classes: int) -> int:
        """Length of what the critic is conditioned on."""
        return self.code_dim

    def problems(self, batch_size: int) -> dict[str, str]:
        """Why settings do not fit batches of that size, by the name of the setting."""
        return {}

    def check(self, labelled: bool) -> None:
        """Refuse data that this condition cannot use.

        Raises:
            ConfigError: naming the setting to change.
        """

    def attribute_sizes(self, data: Data, num_classes: int) -> tuple[int, ...]:
        """How many values each attribute has that encoder and critic learn to classify."""
        return (num_classes,)

    def prepare(self, data: Data, train: Images, test: Images) -> tuple[Images, Images]:
        """Add to the images what the encoder sees of them besides pixels and labels.

        Raises:
            ConfigError, BadContent: the data lacks it.
        """
        return train, test

    @abstractmethod
    def build_encoder(self, networks: Networks, shape: Shape, num_classes: int) -> nn.Module:
        """The network that turns the encoder's inputs into codes (B, code_dim)."""

    def choose_images(self, images: Images, index: Tensor, noise: BatchNoise) -> ConditionedImages:
        """The images of a training batch, given the indices (B,) that an epoch visits."""
        real = images.floats(index)
        return ConditionedImages(real, real, images.labels[index])

    @abstractmethod
    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """The codes of a training batch, with noise and the encoder's losses."""

    @abstractmethod
    def encoder_inputs(self, images: Images, index: Tensor) -> Tensor:
        """What the encoder sees of the images at ``index``, (B, ...): them, or their labels."""

    def kind_inputs(self, images: Images, index: Tensor) -> Tensor:
        """Encoder inputs that say of which kind the images at ``index`` are, and no more."""
        return self.encoder_inputs(images, index)

    @abstractmethod
    def example_inputs(self, images: Images, count: int) -> Tensor:
        """Up to ``count`` encoder inputs for the sample grids of a run."""

    def example_pictures(self, images: Images, inputs: Tensor) -> list[Tensor] | None:
        """Pictures (C, H, any width) uint8 of encoder inputs, to stand in front of samples."""
        return None

    @abstractmethod
    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """One code for each class, (num_classes, code_dim).

        Args:
            encode: encoder inputs (N, ...) -> codes (N, code_dim).
            images: the training images.
        """

    @abstractmethod
    def training_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The codes (M, code_dim) of some training images, from which ``random_codes`` chooses."""

    @abstractmethod
    def random_codes(self, training_codes: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """Codes (count, code_dim) for no condition in particular."""

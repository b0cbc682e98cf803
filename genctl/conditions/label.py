"""Conditioned on a label: every class has a code of its own, learned with the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.common.errors import ConfigError
from genctl.conditions.coded import Coded

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.data.batch import Batch
    from genctl.networks.base import Networks


class Label(Coded):
    """x = G(z, code of a class)."""

    kind: Literal["label"] = "label"

    def check(self, labelled: bool) -> None:
        """Refuse data without labels."""
        if not labelled:
            raise ConfigError(
                ["condition.kind: label needs data with labels; use `image` with pairing: instance"]
            )

    def build_encoder(self, networks: Networks, shape: Shape, num_classes: int) -> nn.Module:
        """An embedding table."""
        from genctl.networks.layers.encoders import LabelEncoder

        return LabelEncoder(num_classes, self.code_dim)

    def encode(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The codes of the labels."""
        return encoder(batch.labels), {}

    def encoder_inputs(self, images: Images, index: Tensor) -> Tensor:
        """The labels of the images."""
        return images.labels[index]

    def example_inputs(self, images: Images, count: int) -> Tensor:
        """The first classes."""
        import torch

        return torch.arange(min(count, len(images.classes)))

    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The rows of the embedding table."""
        import torch

        return encode(torch.arange(len(images.classes)))

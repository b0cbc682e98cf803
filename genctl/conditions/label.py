"""A label is shown: every class has a code of its own, learned with the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.common.errors import ConfigError
from genctl.conditions.coded import Coded

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.networks.base import Networks
    from genctl.training.batches import Batch


class Label(Coded):
    """x = G(z, code of a class)."""

    kind: Literal["label"] = "label"

    def check(self, labelled: bool) -> None:
        """Refuse data without labels."""
        if not labelled:
            raise ConfigError(
                ["condition.kind: label needs data with labels; use `image` with partner: instance"]
            )

    def encoder(self, networks: Networks, shape: Shape, classes: int) -> nn.Module:
        """A table of codes."""
        from genctl.networks.layers.encoders import LabelEncoder

        return LabelEncoder(classes, self.width)

    def look(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The codes of the labels."""
        return encoder(batch.labels), {}

    def looks_at(self, images: Images, index: Tensor) -> Tensor:
        """Their labels."""
        return images.labels[index]

    def examples(self, images: Images, count: int) -> Tensor:
        """The first classes."""
        import torch

        return torch.arange(min(count, len(images.classes)))

    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The rows of the table."""
        import torch

        return encode(torch.arange(len(images.classes)))

"""No condition: codes of length 0, so that nothing has to ask whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.conditions.base import Codes, Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.data.batch import Batch
    from genctl.networks.base import Networks


class NoCondition(Condition):
    """x = G(z)."""

    kind: Literal["none"] = "none"

    @property
    def code_dim(self) -> int:
        """0."""
        return 0

    def build_encoder(self, networks: Networks, shape: Shape, num_classes: int) -> nn.Module:
        """A network without parameters."""
        from torch import nn

        return nn.Identity()

    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """Empty codes."""
        empty = batch.z.new_empty(len(batch.z), 0)
        return Codes(empty, empty)

    def encoder_inputs(self, images: Images, index: Tensor) -> Tensor:
        """Empty inputs."""
        import torch

        return torch.empty(len(index), 0)

    def example_inputs(self, images: Images, count: int) -> Tensor:
        """Empty inputs."""
        import torch

        return torch.empty(count, 0)

    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """Empty codes."""
        import torch

        return torch.empty(len(images.classes), 0)

    def training_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """One empty code."""
        import torch

        return torch.empty(1, 0)

    def random_codes(self, training_codes: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """Empty codes."""
        return training_codes[:1].expand(count, 0)

"""No condition: codes of width 0, so that nothing has to ask whether there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.conditions.base import Codes, Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.networks.base import Networks
    from genctl.training.batches import Batch


class NoCondition(Condition):
    """x = G(z)."""

    kind: Literal["none"] = "none"

    @property
    def code_width(self) -> int:
        """0."""
        return 0

    def encoder(self, networks: Networks, shape: Shape, classes: int) -> nn.Module:
        """A network without parameters."""
        from torch import nn

        return nn.Identity()

    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """Nothing, for the generator and for the critic."""
        nothing = batch.noise.new_empty(len(batch.noise), 0)
        return Codes(nothing, nothing)

    def looks_at(self, images: Images, index: Tensor) -> Tensor:
        """Nothing."""
        import torch

        return torch.empty(len(index), 0)

    def examples(self, images: Images, count: int) -> Tensor:
        """Nothing, ``count`` times."""
        import torch

        return torch.empty(count, 0)

    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """Nothing for each class."""
        import torch

        return torch.empty(len(images.classes), 0)

    def typical_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """One, and it says nothing."""
        import torch

        return torch.empty(1, 0)

    def noise(self, typical: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Nothing, ``count`` times."""
        return typical[:1].expand(count, 0)

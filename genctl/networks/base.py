"""The interface of a family of networks: it builds the roles that an objective asks for."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from genctl.common.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape

LayerSize = Annotated[int, Field(ge=1, le=8192)]
"""Channels or features of one layer."""
Channels = Annotated[tuple[LayerSize, ...], Field(min_length=1, max_length=8)]
"""Channels of consecutive layers."""


class Networks(Settings):
    """A family of networks for square images. A ``code_dim`` of 0 means no condition."""

    kind: str

    predicts_velocity: ClassVar[bool] = False
    """Whether the generator has the method ``velocity`` that flows are trained with."""

    @abstractmethod
    def z_dim_for(self, shape: Shape) -> int:
        """Length of z for images of this shape."""

    def for_size(self, size: int) -> Self:
        """These settings with words such as `auto` replaced by what they mean for that size."""
        return self

    def problems(self, size: int) -> dict[str, str]:
        """Why images of this size do not fit, by the name of the setting to change."""
        return {}

    @property
    @abstractmethod
    def bounded(self) -> bool:
        """Whether the generator's images stay within [-1, 1]."""

    @abstractmethod
    def build_generator(self, shape: Shape, code_dim: int) -> nn.Module:
        """(z, code) -> images (B, C, H, W)."""

    @abstractmethod
    def build_critic(self, shape: Shape, code_dim: int, num_classes: int) -> nn.Module:
        """(images, code) -> (B, 1 + num_classes): scores, then class logits."""

    @abstractmethod
    def build_encoder(self, shape: Shape, code_dim: int) -> nn.Module:
        """Images -> codes (B, code_dim), not normalized."""

    def build_posterior(self, shape: Shape, code_dim: int) -> nn.Module:
        """(images, code) -> mean (B, z_dim) and log variance (B, z_dim).

        Only families whose generators can be ``bounded`` need one.
        """
        raise NotImplementedError(f"{self.kind} has no posterior")

"""The seam of a family of networks: it builds the roles that an objective asks for."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from genctl.common.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape

Width = Annotated[int, Field(ge=1, le=8192)]
"""Channels or features of a layer."""
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)]


class Networks(Settings):
    """Networks for square images; ``code_width`` 0 means that there is no condition."""

    kind: str

    z_width: int
    """Length of z."""

    def problems(self, size: int) -> dict[str, str]:
        """What speaks against images of this size, by the name of the setting to change."""
        return {}

    @property
    @abstractmethod
    def bounded(self) -> bool:
        """Whether the generator's images stay within [-1, 1]."""

    @abstractmethod
    def generator(self, shape: Shape, code_width: int) -> nn.Module:
        """(z, code) -> images (B, C, H, W)."""

    @abstractmethod
    def critic(self, shape: Shape, code_width: int, classes: int) -> nn.Module:
        """(images, code) -> (B, 1 + classes): scores, then the logits of the classes."""

    @abstractmethod
    def encoder(self, shape: Shape, code_width: int) -> nn.Module:
        """Images -> codes (B, code_width), of any length."""

    @abstractmethod
    def posterior(self, shape: Shape, code_width: int) -> nn.Module:
        """(images, code) -> mean (B, z), logarithm of the variance (B, z)."""

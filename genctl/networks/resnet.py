"""The residual family without normalisation, for objectives that compare images in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genctl.networks.base import Networks, Widths

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


class Resnet(Networks):
    """Residual blocks, leaky ReLU, bilinear resampling."""

    kind: Literal["resnet"] = "resnet"
    z_width: int = Field(default=64, ge=1, le=4096)
    """Length of z."""
    widths: Widths = (96, 96, 48, 24)
    """Channels at 4x4, 8x8 and so on, up to the image's size; the critic has them in reverse."""
    blocks: int = Field(default=1, ge=1, le=64)
    """Residual blocks at each size."""
    encoder_widths: Widths = (96, 96, 48, 24)
    """Channels of the encoder, from 4x4 upwards like `widths`."""
    tanh: bool = False
    """End the generator in a tanh."""

    def problems(self, size: int) -> dict[str, str]:
        """Each size from 4x4 must have its width."""
        sizes = size.bit_length() - 2
        return {
            name: f"{size}x{size} images need {sizes} widths, found {len(getattr(self, name))}"
            for name in ("widths", "encoder_widths")
            if len(getattr(self, name)) != sizes
        }

    @property
    def bounded(self) -> bool:
        """Only with a tanh."""
        return self.tanh

    def generator(self, shape: Shape, code_width: int) -> nn.Module:
        """(z, code) -> images."""
        from genctl.networks.layers import resnet

        return resnet.Generator(
            self.z_width, code_width, self.widths, self.blocks, shape.channels, self.tanh
        )

    def critic(self, shape: Shape, code_width: int, classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import resnet
        from genctl.networks.layers.projection import Projection

        head = Projection(self.widths[0], code_width, classes)
        return resnet.Critic(shape.channels, self.widths[::-1], self.blocks, head)

    def encoder(self, shape: Shape, code_width: int) -> nn.Module:
        """Images -> codes."""
        from torch import nn

        return nn.Sequential(
            self._encoder_body(shape), nn.Linear(self.encoder_widths[0], code_width)
        )

    def posterior(self, shape: Shape, code_width: int) -> nn.Module:
        """(images, code) -> mean and logarithm of the variance of z."""
        from genctl.networks.layers.dcgan import Posterior

        width = self.encoder_widths[0]
        return Posterior(self._encoder_body(shape), width, code_width, self.z_width)

    def _encoder_body(self, shape: Shape) -> nn.Module:
        from genctl.networks.layers import resnet

        return resnet.Features(shape.channels, self.encoder_widths[::-1], self.blocks)

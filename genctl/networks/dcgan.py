"""The convolutional family of the original design; its default sizes are that design's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genctl.networks.base import Networks, Width, Widths

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


class Dcgan(Networks):
    """Transposed convolutions against strided ones."""

    kind: Literal["dcgan"] = "dcgan"
    z_width: int = Field(default=100, ge=1, le=4096)
    """Length of z."""
    generator_widths: Widths = (256, 128, 64)
    """Channels at 4x4, 8x8 and so on; one for each doubling up to the image's size."""
    modulated: bool = False
    """Let z and the code set the gain and bias of each normalisation, not only enter first."""
    critic_widths: Widths = (64, 128, 256)
    """Channels after each halving of the image, down to 4x4."""
    critic_features: Width = 128
    """Features that the critic judges by."""
    critic_normalization: Literal["none", "spectral"] = "none"
    """`spectral` keeps the critic from growing steep; the hinge game wants it."""
    encoder_widths: Widths = (64, 128, 256, 512)
    """Channels of the encoder's convolutions."""
    encoder_style: Literal["pooled", "strided"] = "pooled"
    """`pooled` is the original design's: 3x3, then 4x4 with stride 2, and the mean over all places.
    `strided` is quicker and surer: 3x3 with stride 2, BatchNorm, and a linear map of all places."""

    def problems(self, size: int) -> dict[str, str]:
        """Each doubling from 4x4 must have its width."""
        doublings = size.bit_length() - 3
        if size >> len(self.encoder_widths) < 1:
            return {"encoder_widths": f"{size}x{size} images can be halved {doublings + 2} times"}
        return {
            name: f"{size}x{size} images need {doublings} widths, found {len(getattr(self, name))}"
            for name in ("generator_widths", "critic_widths")
            if len(getattr(self, name)) != doublings
        }

    @property
    def bounded(self) -> bool:
        """The generator ends in a tanh."""
        return True

    def generator(self, shape: Shape, code_width: int) -> nn.Module:
        """(z, code) -> images."""
        from genctl.networks.layers import dcgan

        return dcgan.Generator(
            self.z_width, code_width, self.generator_widths, shape.channels, self.modulated
        )

    def critic(self, shape: Shape, code_width: int, classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import dcgan
        from genctl.networks.layers.projection import Projection

        spectral = self.critic_normalization == "spectral"
        head = Projection(self.critic_features, code_width, classes)
        return dcgan.Critic(
            shape.channels, self.critic_widths, self.critic_features, head, spectral
        )

    def encoder(self, shape: Shape, code_width: int) -> nn.Module:
        """Images -> codes; a linear map is added only where the widths do not agree already."""
        from torch import nn

        body, width = self._encoder_body(shape)
        if width == code_width:
            return body
        return nn.Sequential(*body, nn.Linear(width, code_width))

    def posterior(self, shape: Shape, code_width: int) -> nn.Module:
        """(images, code) -> mean and logarithm of the variance of z."""
        from genctl.networks.layers import dcgan

        body, width = self._encoder_body(shape)
        return dcgan.Posterior(body, width, code_width, self.z_width)

    def _encoder_body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        """A stack of layers, and how many features it ends in."""
        from genctl.networks.layers import dcgan

        widths = self.encoder_widths
        if self.encoder_style == "pooled":
            return dcgan.PooledEncoder(shape.channels, widths), widths[-1]
        side = shape.size >> len(widths)
        return dcgan.StridedEncoder(shape.channels, widths), widths[-1] * side * side

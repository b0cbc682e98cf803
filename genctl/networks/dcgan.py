"""DCGAN-style convolutional networks; the default sizes are those of the original design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genctl.networks.base import Channels, LayerSize, Networks

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


class Dcgan(Networks):
    """Transposed convolutions in the generator, strided ones in the critic."""

    kind: Literal["dcgan"] = "dcgan"
    z_dim: int = Field(default=100, ge=1, le=4096)
    """Length of z."""
    generator_channels: Channels = (256, 128, 64)
    """Channels at 4x4, 8x8 and so on; one entry for each doubling up to the image size."""
    conditional_batchnorm: bool = False
    """Let z and the code also set the gain and bias of every BatchNorm in the generator."""
    critic_channels: Channels = (64, 128, 256)
    """Channels after each halving of the image, down to 4x4."""
    critic_hidden_dim: LayerSize = 128
    """Features of the critic's last hidden layer."""
    critic_normalization: Literal["none", "spectral"] = "none"
    """`spectral` bounds the critic's gradients; the hinge loss needs it."""
    encoder_channels: Channels = (64, 128, 256, 512)
    """Channels of the encoder's convolutions."""
    encoder: Literal["pooled", "strided"] = "pooled"
    """`pooled` is the original design: 3x3, then 4x4 with stride 2, then global average pooling.
    `strided` trains faster and more reliably: 3x3 with stride 2, BatchNorm, then a linear layer."""

    def z_dim_for(self, shape: Shape) -> int:
        """`z_dim`."""
        return self.z_dim

    def problems(self, size: int) -> dict[str, str]:
        """Every doubling from 4x4 needs a number of channels."""
        doublings = size.bit_length() - 3
        if size >> len(self.encoder_channels) < 1:
            return {"encoder_channels": f"{size}x{size} images can be halved {doublings + 2} times"}
        return {
            name: (
                f"{size}x{size} images need {doublings} channel counts, "
                f"found {len(getattr(self, name))}"
            )
            for name in ("generator_channels", "critic_channels")
            if len(getattr(self, name)) != doublings
        }

    @property
    def bounded(self) -> bool:
        """The generator ends in a tanh."""
        return True

    def build_generator(self, shape: Shape, code_dim: int) -> nn.Module:
        """(z, code) -> images."""
        from genctl.networks.layers import dcgan

        return dcgan.Generator(
            self.z_dim,
            code_dim,
            self.generator_channels,
            shape.channels,
            self.conditional_batchnorm,
        )

    def build_critic(self, shape: Shape, code_dim: int, num_classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import dcgan
        from genctl.networks.layers.projection import ProjectionHead

        spectral = self.critic_normalization == "spectral"
        head = ProjectionHead(self.critic_hidden_dim, code_dim, num_classes)
        return dcgan.Critic(
            shape.channels, self.critic_channels, self.critic_hidden_dim, head, spectral
        )

    def build_encoder(self, shape: Shape, code_dim: int) -> nn.Module:
        """Images -> codes; a linear layer is added only where the sizes differ."""
        from torch import nn

        body, features = self._encoder_body(shape)
        if features == code_dim:
            return body
        return nn.Sequential(*body, nn.Linear(features, code_dim))

    def build_posterior(self, shape: Shape, code_dim: int) -> nn.Module:
        """(images, code) -> mean and log variance of z."""
        from genctl.networks.layers import dcgan

        body, features = self._encoder_body(shape)
        return dcgan.Posterior(body, features, code_dim, self.z_dim)

    def _encoder_body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        """The convolutions, and how many features they end in."""
        from genctl.networks.layers import dcgan

        channels = self.encoder_channels
        if self.encoder == "pooled":
            return dcgan.PooledEncoder(shape.channels, channels), channels[-1]
        side = shape.size >> len(channels)
        return dcgan.StridedEncoder(shape.channels, channels), channels[-1] * side * side

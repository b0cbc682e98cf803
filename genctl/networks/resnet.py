"""Residual networks without normalization, as in R3GAN: Huang et al. 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genctl.networks.base import Channels, Networks

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


class Resnet(Networks):
    """Residual blocks, leaky ReLU, bilinear resampling."""

    kind: Literal["resnet"] = "resnet"
    z_dim: int = Field(default=64, ge=1, le=4096)
    """Length of z."""
    channels: Channels = (96, 96, 48, 24)
    """Generator channels at 4x4, 8x8 and so on, up to the image size; the critic mirrors them."""
    blocks_per_resolution: int = Field(default=1, ge=1, le=64)
    """Residual blocks at each resolution."""
    encoder_channels: Channels = (96, 96, 48, 24)
    """Encoder channels, from 4x4 upwards like `channels`."""
    tanh: bool = False
    """End the generator in a tanh."""

    def z_dim_for(self, shape: Shape) -> int:
        """`z_dim`."""
        return self.z_dim

    def problems(self, size: int) -> dict[str, str]:
        """Every resolution from 4x4 needs a number of channels."""
        resolutions = size.bit_length() - 2
        return {
            name: (
                f"{size}x{size} images need {resolutions} channel counts, "
                f"found {len(getattr(self, name))}"
            )
            for name in ("channels", "encoder_channels")
            if len(getattr(self, name)) != resolutions
        }

    @property
    def bounded(self) -> bool:
        """Only with a tanh."""
        return self.tanh

    def build_generator(self, shape: Shape, code_dim: int) -> nn.Module:
        """(z, code) -> images."""
        from genctl.networks.layers import resnet

        return resnet.Generator(
            self.z_dim,
            code_dim,
            self.channels,
            self.blocks_per_resolution,
            shape.channels,
            self.tanh,
        )

    def build_critic(self, shape: Shape, code_dim: int, num_classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import resnet
        from genctl.networks.layers.projection import ProjectionHead

        head = ProjectionHead(self.channels[0], code_dim, num_classes)
        return resnet.Critic(shape.channels, self.channels[::-1], self.blocks_per_resolution, head)

    def build_encoder(self, shape: Shape, code_dim: int) -> nn.Module:
        """Images -> codes."""
        from torch import nn

        return nn.Sequential(
            self._encoder_body(shape), nn.Linear(self.encoder_channels[0], code_dim)
        )

    def build_posterior(self, shape: Shape, code_dim: int) -> nn.Module:
        """(images, code) -> mean and log variance of z."""
        from genctl.networks.layers.dcgan import Posterior

        features = self.encoder_channels[0]
        return Posterior(self._encoder_body(shape), features, code_dim, self.z_dim)

    def _encoder_body(self, shape: Shape) -> nn.Module:
        from genctl.networks.layers import resnet

        return resnet.FeatureExtractor(
            shape.channels, self.encoder_channels[::-1], self.blocks_per_resolution
        )

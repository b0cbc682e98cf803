"""A small residual U-Net, whose z has the shape of an image: what flows are trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from genctl.networks.base import Channels, LayerSize, Networks

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


class Unet(Networks):
    """A U-Net from noise to images; critic and encoder are those of `dcgan`."""

    kind: Literal["unet"] = "unet"
    predicts_velocity: ClassVar[bool] = True

    channels: Channels = (32, 64, 128)
    """Channels at the resolution of the patches, at half of it, and so on."""
    blocks_per_resolution: int = Field(default=1, ge=1, le=64)
    """Residual blocks at each resolution on the way down, and as many on the way up."""
    patch_size: Literal[1, 2, 4, 8] = 2
    """The network computes at this fraction of the image size: 2 is half the width and height."""
    style_dim: LayerSize = 128
    """Length of the vector of time and code that every block gets."""
    critic_channels: Channels = (32, 64, 128)
    """Channels after each halving of the image, down to 4x4."""
    critic_hidden_dim: LayerSize = 128
    """Features of the critic's last hidden layer."""
    encoder_channels: Channels = (32, 64, 128)
    """Channels of the encoder's convolutions, each of which halves the image."""

    def z_dim_for(self, shape: Shape) -> int:
        """As many numbers as an image has."""
        return shape.channels * shape.size**2

    def problems(self, size: int) -> dict[str, str]:
        """Images must have as many halvings as there are channel counts."""
        found = {}
        halvings = (size // self.patch_size).bit_length() - 1
        if len(self.channels) - 1 > halvings:
            found["channels"] = (
                f"{size}x{size} images in patches of {self.patch_size} allow at most "
                f"{halvings + 1} channel counts, found {len(self.channels)}"
            )
        doublings = size.bit_length() - 3
        if len(self.critic_channels) != doublings:
            found["critic_channels"] = (
                f"{size}x{size} images need {doublings} channel counts, "
                f"found {len(self.critic_channels)}"
            )
        if size >> len(self.encoder_channels) < 1:
            found["encoder_channels"] = f"{size}x{size} images can be halved {doublings + 2} times"
        return found

    @property
    def bounded(self) -> bool:
        """A flow may leave the range."""
        return False

    def build_generator(self, shape: Shape, code_dim: int) -> nn.Module:
        """(z, code) -> images; its method ``velocity`` is the flow."""
        from genctl.networks.layers.unet import UNet

        return UNet(
            shape.channels,
            shape.size,
            code_dim,
            self.channels,
            self.blocks_per_resolution,
            self.patch_size,
            self.style_dim,
        )

    def build_critic(self, shape: Shape, code_dim: int, num_classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import dcgan
        from genctl.networks.layers.projection import ProjectionHead

        head = ProjectionHead(self.critic_hidden_dim, code_dim, num_classes)
        return dcgan.Critic(
            shape.channels, self.critic_channels, self.critic_hidden_dim, head, spectral=False
        )

    def build_encoder(self, shape: Shape, code_dim: int) -> nn.Module:
        """Images -> codes."""
        from torch import nn

        from genctl.networks.layers import dcgan

        side = shape.size >> len(self.encoder_channels)
        features = self.encoder_channels[-1] * side * side
        body = dcgan.StridedEncoder(shape.channels, self.encoder_channels)
        return nn.Sequential(*body, nn.Linear(features, code_dim))

"""Residual networks without normalization, as in R3GAN: Huang et al. 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from genctl.networks.auto_channels import AutoChannels, Word, doubling, listed
from genctl.networks.base import Networks

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


AT_HIGHEST_RESOLUTION: dict[Word, int] = {"auto": 24, "small": 12}
CHANNEL_LIMIT: dict[Word, int] = {"auto": 96, "small": 48}


class Resnet(Networks):
    """Residual blocks, leaky ReLU, bilinear resampling."""

    kind: Literal["resnet"] = "resnet"
    z_dim: int = Field(default=64, ge=1, le=4096)
    """Length of z."""
    channels: AutoChannels = "auto"
    """Generator channels at 4x4, 8x8 and so on, up to the image size; the critic mirrors them.
    `auto` follows the image size: 24 at the highest resolution, doubled at each lower one, at most
    96; `small` is half of that."""
    blocks_per_resolution: int = Field(default=1, ge=1, le=64)
    """Residual blocks at each resolution."""
    encoder_channels: AutoChannels = "auto"
    """Encoder channels, from 4x4 upwards like `channels`."""
    tanh: bool = False
    """End the generator in a tanh."""

    def z_dim_for(self, shape: Shape) -> int:
        """`z_dim`."""
        return self.z_dim

    def for_size(self, size: int) -> Self:
        """With lists instead of words."""
        lists = {}
        for name in ("channels", "encoder_channels"):
            word: Word | tuple[int, ...] = getattr(self, name)
            if isinstance(word, str):
                layers = size.bit_length() - 2
                channels = doubling(layers, AT_HIGHEST_RESOLUTION[word], CHANNEL_LIMIT[word])
                lists[name] = channels[::-1]
        return self.model_copy(update=lists) if lists else self

    def problems(self, size: int) -> dict[str, str]:
        """Every resolution from 4x4 needs a number of channels."""
        self, resolutions = self.for_size(size), size.bit_length() - 2
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
            self._channels(shape),
            self.blocks_per_resolution,
            shape.channels,
            self.tanh,
        )

    def build_critic(self, shape: Shape, code_dim: int, num_classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import resnet
        from genctl.networks.layers.projection import ProjectionHead

        head = ProjectionHead(self._channels(shape)[0], code_dim, num_classes)
        channels = self._channels(shape)[::-1]
        return resnet.Critic(shape.channels, channels, self.blocks_per_resolution, head)

    def build_encoder(self, shape: Shape, code_dim: int) -> nn.Module:
        """Images -> codes."""
        from torch import nn

        return nn.Sequential(
            self._encoder_body(shape), nn.Linear(self._encoder_channels(shape)[0], code_dim)
        )

    def build_posterior(self, shape: Shape, code_dim: int) -> nn.Module:
        """(images, code) -> mean and log variance of z."""
        from genctl.networks.layers.dcgan import Posterior

        features = self._encoder_channels(shape)[0]
        return Posterior(self._encoder_body(shape), features, code_dim, self.z_dim)

    def _encoder_body(self, shape: Shape) -> nn.Module:
        from genctl.networks.layers import resnet

        return resnet.FeatureExtractor(
            shape.channels, self._encoder_channels(shape)[::-1], self.blocks_per_resolution
        )

    def _channels(self, shape: Shape) -> tuple[int, ...]:
        return listed(self.for_size(shape.size).channels)

    def _encoder_channels(self, shape: Shape) -> tuple[int, ...]:
        return listed(self.for_size(shape.size).encoder_channels)

"""DCGAN-style convolutional networks; the default sizes are those of the original design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, PositiveFloat

from genctl.networks.auto_channels import AutoChannels, Word, doubling, listed
from genctl.networks.base import LayerSize, Networks

if TYPE_CHECKING:
    from torch import nn

    from genctl.data.base import Shape


AT_HIGHEST_RESOLUTION: dict[Word, int] = {"auto": 64, "small": 32}
CHANNEL_LIMIT: dict[Word, int] = {"auto": 512, "small": 256}
MIN_ENCODER_LAYERS = 4  # of the original design


class Dcgan(Networks):
    """Transposed convolutions in the generator, strided ones in the critic."""

    kind: Literal["dcgan"] = "dcgan"
    z_dim: int = Field(default=100, ge=1, le=4096)
    """Length of z."""
    generator_channels: AutoChannels = "auto"
    """Channels at 4x4, 8x8 and so on, up to half the image size; with one more entry at the image
    size, too, which makes patterns finer. `auto` follows the image size: 64 at half of it, doubled
    at each lower resolution, at most 512; `small` is half of that."""
    code_scale: PositiveFloat = 1.0
    """Factor on the code where it enters the generator, in which a long code outweighs z."""
    generator_initialization_std: PositiveFloat | None = None
    """Standard deviation of the generator's first weights; `null` is PyTorch's default. BatchNorm
    undoes their scale, so that smaller weights learn faster at the same learning rate."""
    conditional_batchnorm: bool = False
    """Let z and the code also set the gain and bias of every BatchNorm in the generator."""
    critic_channels: AutoChannels = "auto"
    """Channels after each halving of the image, down to 4x4; words as in `generator_channels`."""
    critic_hidden_dim: LayerSize = 128
    """Features of the critic's last hidden layer."""
    critic_normalization: Literal["none", "spectral"] = "none"
    """`spectral` bounds the critic's gradients; the hinge loss needs it."""
    encoder_channels: AutoChannels = "auto"
    """Channels of the encoder's convolutions; words as in `generator_channels`."""
    encoder: Literal["pooled", "strided"] = "pooled"
    """`pooled` is the original design: 3x3, then 4x4 with stride 2, then global average pooling.
    `strided` trains faster and more reliably: 3x3 with stride 2, BatchNorm, then a linear layer."""

    def z_dim_for(self, shape: Shape) -> int:
        """`z_dim`."""
        return self.z_dim

    def for_size(self, size: int) -> Self:
        """With lists instead of words."""
        doublings = size.bit_length() - 3
        encoder_layers = min(max(doublings + 1, MIN_ENCODER_LAYERS), doublings + 2)
        counts = {
            "generator_channels": doublings,
            "critic_channels": doublings,
            "encoder_channels": encoder_layers,
        }
        lists = {}
        for name, count in counts.items():
            word: Word | tuple[int, ...] = getattr(self, name)
            if isinstance(word, str):
                channels = doubling(count, AT_HIGHEST_RESOLUTION[word], CHANNEL_LIMIT[word])
                lists[name] = channels[::-1] if name == "generator_channels" else channels
        return self.model_copy(update=lists) if lists else self

    def problems(self, size: int) -> dict[str, str]:
        """Every doubling from 4x4 needs a number of channels; the image itself may have one."""
        self, doublings = self.for_size(size), size.bit_length() - 3
        if size >> len(self.encoder_channels) < 1:
            return {"encoder_channels": f"{size}x{size} images can be halved {doublings + 2} times"}
        allowed = {
            "generator_channels": (doublings, doublings + 1),
            "critic_channels": (doublings,),
        }
        return {
            name: (
                f"{size}x{size} images need {' or '.join(map(str, counts))} channel counts, "
                f"found {len(getattr(self, name))}"
            )
            for name, counts in allowed.items()
            if len(getattr(self, name)) not in counts
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
            listed(self.for_size(shape.size).generator_channels),
            shape.size,
            shape.channels,
            self.conditional_batchnorm,
            self.code_scale,
            self.generator_initialization_std,
        )

    def build_critic(self, shape: Shape, code_dim: int, num_classes: int) -> nn.Module:
        """(images, code) -> scores and class logits."""
        from genctl.networks.layers import dcgan
        from genctl.networks.layers.projection import ProjectionHead

        spectral = self.critic_normalization == "spectral"
        head = ProjectionHead(self.critic_hidden_dim, code_dim, num_classes)
        channels = listed(self.for_size(shape.size).critic_channels)
        return dcgan.Critic(shape.channels, channels, self.critic_hidden_dim, head, spectral)

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

        channels = listed(self.for_size(shape.size).encoder_channels)
        if self.encoder == "pooled":
            return dcgan.PooledEncoder(shape.channels, channels), channels[-1]
        side = shape.size >> len(channels)
        return dcgan.StridedEncoder(shape.channels, channels), channels[-1] * side * side

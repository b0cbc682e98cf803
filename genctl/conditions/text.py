"""Conditioned on words: a small transformer, trained with the generator, turns them into a code.

Each real image comes with one of its captions. The encoder's cross-entropy, and the critic's, are
about what captions say: the class, and with `data.captions: strokes` a third of each measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from genctl.common.errors import ConfigError
from genctl.conditions.base import ConditionedImages
from genctl.conditions.coded import Coded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genctl.data.base import Data, Images, Shape
    from genctl.data.batch import Batch
    from genctl.data.batch_noise import BatchNoise
    from genctl.data.captions import CaptionBatch, Captions
    from genctl.networks.base import Networks


class Text(Coded):
    """x = G(z, E(text))."""

    kind: Literal["text"] = "text"
    vocabulary_size: int = Field(default=256, ge=1, le=100_000)
    """Places for different words."""
    max_words: int = Field(default=16, ge=1, le=512)
    """Places for the words of one caption."""
    hidden_dim: int = Field(default=64, ge=1, le=1024)
    """Features of each word in the encoder; a multiple of `heads`."""
    heads: int = Field(default=4, ge=1, le=64)
    """Attention heads of the encoder."""
    blocks: int = Field(default=1, ge=0, le=24)
    """Transformer blocks of the encoder."""
    cross_entropy_weight: NonNegativeFloat = 1.0
    """Weight of the classification loss that trains the encoder besides the GAN loss."""

    def attribute_sizes(self, data: Data, num_classes: int) -> tuple[int, ...]:
        """The classes, and what else captions of the data say."""
        classes = (num_classes,) if num_classes else ()
        return (*classes, *data.caption_attributes)

    def prepare(self, data: Data, train: Images, test: Images) -> tuple[Images, Images]:
        """Put captions into tensors."""
        from genctl.conditions.text_captions import with_captions

        return with_captions(data, train, test, self.vocabulary_size, self.max_words)

    def build_encoder(self, networks: Networks, shape: Shape, num_classes: int) -> nn.Module:
        """A transformer, normalized codes, and a linear classifier."""
        from genctl.networks.layers.text_encoder import TextEncoder

        return TextEncoder(
            self.vocabulary_size,
            self.max_words,
            self.hidden_dim,
            self.heads,
            self.blocks,
            self.code_dim,
            num_classes,
        )

    def choose_images(self, images: Images, index: Tensor, noise: BatchNoise) -> ConditionedImages:
        """The images, each with one of its captions."""
        real = images.floats(index)
        captions = _captions(images).choose(index, noise.uniform("caption"))
        return ConditionedImages(real, real, images.labels[index], captions)

    def critic_facts(self, batch: Batch) -> Tensor:
        """A one-hot vector for each value that the caption says, zeros for what it does not."""
        import torch

        caption = _caption(batch)
        parts = [caption.values.new_empty(len(caption.values), 0)]
        for number, size in enumerate(caption.sizes):
            values = torch.arange(size, device=caption.values.device)
            said = caption.says[:, number, None]
            parts.append((caption.values[:, number, None] == values) & said)
        return torch.cat(parts, dim=1)

    def encode(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The codes of the captions, and the cross-entropy of what they say."""
        from genctl.networks.layers.attributes import attribute_cross_entropy
        from genctl.networks.layers.text_encoder import TextEncoder

        assert isinstance(encoder, TextEncoder)
        caption = _caption(batch)
        code = encoder(caption.tokens)
        logits = encoder.classify(code)
        if not logits.shape[1]:
            return code, {}
        loss = attribute_cross_entropy(logits, caption.values, caption.sizes, caption.says)
        return code, {"cross_entropy": self.cross_entropy_weight * loss}

    def encoder_inputs(self, images: Images, index: Tensor) -> Tensor:
        """The caption that says most about each image."""
        from genctl.data.captions import FULL

        return _captions(images).at(index.to(images.device), FULL).tokens

    def kind_inputs(self, images: Images, index: Tensor) -> Tensor:
        """The caption that says the class alone, where there is one."""
        from genctl.data.captions import CLASS_ALONE

        return _captions(images).at(index.to(images.device), CLASS_ALONE).tokens

    def example_pictures(self, images: Images, inputs: Tensor) -> list[Tensor]:
        """The captions, written."""
        from genctl.data.caption_pictures import caption_picture
        from genctl.data.captions import text_of

        vocabulary = _captions(images).vocabulary
        texts = [text_of(tokens, vocabulary) for tokens in inputs.tolist()]
        return [caption_picture(text, images.shape) for text in texts]


def _captions(images: Images) -> Captions:
    if images.tokens is None:
        raise ConfigError(["condition.kind: text needs pictures with captions"])
    return images.tokens


def _caption(batch: Batch) -> CaptionBatch:
    assert batch.caption is not None
    return batch.caption

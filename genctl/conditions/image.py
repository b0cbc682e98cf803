"""Conditioned on an image: an encoder turns it into a code, and is trained with the generator.

The encoder never sees the real image itself that the critic sees. With ``pairing: class`` it sees
another image of the same class, so that the code can only say which class it is, and z has to
supply the variety within the class. With ``pairing: instance`` both are random affine
transformations of one image, which needs no labels; where there are none, the cross-entropy that
trains the encoder is about which image of the batch is the other transformation. Compare Casanova
et al. 2021 (IC-GAN), where the real image is a neighbour in the feature space of a fixed encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveInt

from genctl.common.errors import ConfigError
from genctl.common.settings import Settings
from genctl.conditions.base import ConditionedImages
from genctl.conditions.coded import Coded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.data.batch import Batch
    from genctl.data.batch_noise import BatchNoise
    from genctl.networks.base import Networks


class Augment(Settings):
    """Random affine transformations of the images that the encoder sees."""

    degrees: NonNegativeFloat = 10.0
    """Largest rotation either way, in degrees."""
    translate: NonNegativeFloat = 0.06
    """Largest shift along either axis, as a fraction of the side."""
    scale: NonNegativeFloat = 0.1
    """Largest change of size; 0.1 is ten per cent."""

    def transform(self, images: Tensor, uniform: Tensor) -> Tensor:
        """Transform images (B, C, H, W) with random numbers (B, 4) in [0, 1)."""
        from genctl.networks.layers.random_affine import random_affine

        return random_affine(images, self.degrees, self.translate, self.scale, uniform)


class Image(Coded):
    """x = G(z, E(c)) for an image c."""

    kind: Literal["image"] = "image"
    pairing: Literal["class", "instance"] = "class"
    """Which real image the critic sees: `class`, another one of the class of the encoder's image;
    `instance`, the encoder's image itself, transformed again."""
    images_per_code: PositiveInt = 1
    """How many images of a batch share a code, each with a z of its own: the encoder sees that many
    times fewer images than the critic."""
    cross_entropy_weight: NonNegativeFloat = 1.0
    """Weight of the cross-entropy that trains the encoder besides the GAN loss."""
    augment: Augment = Augment()
    """Random affine transformations of the images that the encoder sees."""
    correct_misclassified: bool = True
    """With `pairing: class`, train the generator with codes whose class the encoder recognizes: a
    code that it takes for another class is reflected in the boundary between the two. Otherwise the
    generator, which cannot know the class, draws something between two classes."""

    def problems(self, batch_size: int) -> dict[str, str]:
        """As many images for every code."""
        if batch_size % self.images_per_code == 0:
            return {}
        why = f"set a divisor of {batch_size}, the images of a batch in one process"
        return {"images_per_code": why}

    def check(self, labelled: bool) -> None:
        """Refuse to pair by class without classes."""
        if not labelled and self.pairing == "class":
            raise ConfigError(
                ["condition.pairing: class needs data with labels; set condition.pairing=instance"]
            )

    def build_encoder(self, networks: Networks, shape: Shape, num_classes: int) -> nn.Module:
        """The family's encoder, normalized codes, and a linear classifier."""
        from genctl.networks.layers.encoders import ImageEncoder

        body = networks.build_encoder(shape, self.code_dim)
        return ImageEncoder(body, self.code_dim, num_classes)

    def choose_images(self, images: Images, index: Tensor, noise: BatchNoise) -> ConditionedImages:
        """Pair each image that the encoder sees with a real image for the critic.

        The encoder always sees transformed images, so that it generalizes beyond the training set.
        """
        shown = index[:: self.images_per_code]
        index = shown.repeat_interleave(self.images_per_code)
        if self.pairing == "class":
            partners = images.random_same_class(index, noise.uniform("partner"))
            real = images.floats(partners)
        else:
            real = self.augment.transform(images.floats(index), noise.uniform("partner", 4))
        uniform = noise.uniform("move", 4)[:: self.images_per_code]
        condition_images = self.augment.transform(images.floats(shown), uniform)
        return ConditionedImages(real, condition_images, images.labels[index])

    def critic_classes(self, num_classes: int) -> int:
        """All of them if the real image may be any image of its class."""
        return num_classes if self.pairing == "class" else 0

    def encode(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The codes of the images, and the cross-entropy of their classes, or of their partners."""
        import torch
        from torch.nn.functional import cross_entropy

        from genctl.networks.layers.contrastive import instance_cross_entropy
        from genctl.networks.layers.encoders import ImageEncoder

        assert isinstance(encoder, ImageEncoder)
        if batch.num_classes:
            code = encoder(batch.condition_images)
            labels, logits = batch.labels[:: self.images_per_code], encoder.classify(code)
            loss = cross_entropy(logits, labels)
            if self.correct_misclassified and self.pairing == "class":
                code = encoder.correct(code, logits, labels)
        else:
            partners = batch.real[:: self.images_per_code]
            code, partner_code = encoder(torch.cat([batch.condition_images, partners])).chunk(2)
            loss = instance_cross_entropy(code, partner_code)
        shared = code.repeat_interleave(self.images_per_code, dim=0)
        return shared, {"cross_entropy": self.cross_entropy_weight * loss}

    def encoder_inputs(self, images: Images, index: Tensor) -> Tensor:
        """The images themselves."""
        return images.floats(index)

    def example_pictures(self, images: Images, inputs: Tensor) -> list[Tensor]:
        """The images themselves."""
        from genctl.data.pixels import to_uint8

        return list(to_uint8(inputs))

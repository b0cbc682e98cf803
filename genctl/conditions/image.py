"""An image is shown: an encoder turns it into a code, and learns together with the generator.

The real image that the critic sees beside a shown one is its *partner*. With ``partner: class``
that is another image of the same class, so the code can only say which class it is and the
variety within a class must come from z. With ``partner: instance`` it is the shown image, shifted,
scaled and turned a little, which needs no labels. Compare Casanova et al. 2021 (IC-GAN), whose
partner is a neighbour in the space of a fixed encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from genctl.common.errors import ConfigError
from genctl.conditions.base import Shown
from genctl.conditions.coded import Coded

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.data.batch_noise import Draws
    from genctl.networks.base import Networks
    from genctl.training.batches import Batch


IMAGES_PER_CLASS = 256  # images that the code of a class is the mean of


class Image(Coded):
    """x = G(z, E(c)) for a shown image c."""

    kind: Literal["image"] = "image"
    partner: Literal["class", "instance"] = "class"
    """What the critic sees as real beside a shown image."""
    cross_entropy: NonNegativeFloat = 1.0
    """Weight of the class cross-entropy that trains the encoder besides the game."""
    shift: NonNegativeFloat = 0.06
    """Largest shift of a moved image, as a share of its side."""
    scale: NonNegativeFloat = 0.1
    """Largest change of size of a moved image; 0.1 is a tenth."""
    turn: NonNegativeFloat = 10.0
    """Largest turn of a moved image, in degrees."""

    def check(self, labelled: bool) -> None:
        """Refuse to pair by class where there are none."""
        if not labelled and self.partner == "class":
            raise ConfigError(
                ["condition.partner: class needs data with labels; set condition.partner=instance"]
            )

    def encoder(self, networks: Networks, shape: Shape, classes: int) -> nn.Module:
        """The family's encoder, its code on the sphere, and a head for the classes."""
        from genctl.networks.layers.encoders import ImageEncoder

        return ImageEncoder(networks.encoder(shape, self.width), self.width, classes)

    def show(self, images: Images, index: Tensor, draws: Draws) -> Shown:
        """Pair each shown image with what the critic shall take for real.

        The encoder always sees a moved image, which teaches it to read more than the training set.
        """
        from genctl.networks.layers.random_affine import move

        shown = images.floats(index)
        if self.partner == "class":
            partners = images.partners(index, draws.uniform("partner"))
            real = images.floats(partners)
        else:
            real = move(shown, self.shift, self.scale, self.turn, draws.uniform("partner", 4))
        moved = move(shown, self.shift, self.scale, self.turn, draws.uniform("move", 4))
        return Shown(real, moved, images.labels[index])

    def told_classes(self, classes: int) -> int:
        """All of them where any image of the class may be the partner."""
        return classes if self.partner == "class" else 0

    def look(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The codes of the shown images, and the cross-entropy of their classes."""
        from torch.nn.functional import cross_entropy

        from genctl.networks.layers.encoders import ImageEncoder

        assert isinstance(encoder, ImageEncoder)
        code, logits = encoder.look(batch.shown)
        if not logits.shape[1]:
            return code, {}
        return code, {"cross_entropy": self.cross_entropy * cross_entropy(logits, batch.labels)}

    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The mean code of some images of each class; of any where a class has none."""
        import torch

        from genctl.networks.layers.normalize import to_sphere

        means = [torch.empty(0, self.width)]
        for label in range(len(images.classes)):
            own = (images.labels == label).nonzero()[:IMAGES_PER_CLASS, 0]
            shown = images.floats(own if len(own) else slice(0, IMAGES_PER_CLASS))
            means.append(encode(shown).mean(dim=0, keepdim=True))
        return to_sphere(torch.cat(means))

    def looks_at(self, images: Images, index: Tensor) -> Tensor:
        """The images themselves."""
        return images.floats(index)

    def examples(self, images: Images, count: int) -> Tensor:
        """The first image of each of the first classes; without classes, the first images."""
        import torch

        if not images.classes:
            return images.floats(slice(0, count))
        labels = images.labels.cpu()
        present = labels.unique()[:count]
        return images.floats(torch.stack([(labels == label).nonzero()[0, 0] for label in present]))

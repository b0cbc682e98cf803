"""What a condition with a code has in common, whether a label or an image is shown."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat, PositiveInt

from genctl.conditions.base import Codes, Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

    from genctl.data.base import Images
    from genctl.training.batches import Batch

TYPICAL = 512  # codes that a model keeps to draw noise around


class Coded(Condition):
    """Codes lie on a sphere; noise is a code from the distribution that training codes have."""

    width: PositiveInt = Field(default=64, le=4096)
    """Length of a code."""
    jitter: NonNegativeFloat = 0.2
    """Standard deviation of what is added to a code in training.

    An exact code would be the key to one image, which the critic could learn by heart.
    """

    critic_cross_entropy: NonNegativeFloat = 1.0
    """Weight of the classes of real images in the critic's loss; 0 does not teach it classes."""

    @property
    def code_width(self) -> int:
        """The length of a code."""
        return self.width

    def critic_width(self, classes: int) -> int:
        """The code, and a place for each class that the critic is told."""
        return self.width + self.told_classes(classes)

    def told_classes(self, classes: int) -> int:
        """How many classes the critic is told apart, besides the code."""
        return classes

    @abstractmethod
    def look(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The plain codes (B, width) of what ``batch`` shows, and what the encoder lowers."""

    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """The plain codes, jittered, and for the critic the classes too.

        The critic's are cut off from the gradient: through them the encoder could please the
        critic without any image getting better.
        """
        import torch

        from genctl.networks.layers.normalize import to_sphere

        code, terms = self.look(encoder, batch)
        jitter = batch.draws.normal("code", self.width)
        code = to_sphere(code + self.jitter * jitter)
        classes = torch.arange(self.told_classes(batch.classes), device=batch.labels.device)
        # As long as the code, so that neither drowns the other.
        told = (batch.labels[:, None] == classes) * self.width**0.5
        return Codes(code, torch.cat([code.detach(), told], dim=1), terms)

    def typical_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The codes of some training images from all over the data, which may be sorted."""
        import torch

        from genctl.common.rng import generator

        order = torch.randperm(len(images), generator=generator(0, "typical"))
        return encode(self.looks_at(images, order[:TYPICAL].to(images.device)))

    def noise(self, typical: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Typical codes drawn at random, jittered as in training.

        Codes spread evenly over the sphere would lie far from all that the generator has seen.
        """
        import torch

        from genctl.networks.layers.normalize import to_sphere

        chosen = typical[torch.randint(len(typical), (count,), generator=random)]
        return to_sphere(chosen + self.jitter * torch.randn(chosen.shape, generator=random))

"""What a condition with a code has in common, whether a label or an image is shown."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat, PositiveInt

from genctl.conditions.base import Codes, Condition

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from genctl.batches import Batch
    from genctl.data.base import Images

TYPICAL = 512  # codes that a model keeps to draw noise around


class Coded(Condition):
    """Codes lie on a sphere; noise is a code from the distribution that training codes have."""

    width: PositiveInt = Field(default=64, le=4096)
    """Length of a code."""
    jitter: NonNegativeFloat = 0.2
    """Standard deviation of what is added to a code in training.

    An exact code would be the key to one image, which the critic could learn by heart.
    """

    @property
    def code_width(self) -> int:
        """The length of a code."""
        return self.width

    @abstractmethod
    def look(self, encoder: nn.Module, batch: Batch) -> Codes:
        """The plain codes of what ``batch`` shows, and what the encoder lowers."""

    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """The plain codes, jittered.

        The critic's are cut off from the gradient: through them the encoder could please the
        critic without any image getting better.
        """
        import torch

        from genctl.layers.sphere import to_sphere

        plain = self.look(encoder, batch)
        code, random = plain.generator, batch.random("code")
        jitter = self.jitter * torch.randn(code.shape, generator=random).to(code)
        return Codes(
            generator=to_sphere(code + jitter),
            critic=to_sphere(plain.critic.detach() + jitter),
            terms=plain.terms,
        )

    def noise(self, typical: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Typical codes drawn at random, jittered as in training.

        Codes spread evenly over the sphere would lie far from all that the generator has seen.
        """
        import torch

        from genctl.layers.sphere import to_sphere

        chosen = typical[torch.randint(len(typical), (count,), generator=random)]
        return to_sphere(chosen + self.jitter * torch.randn(chosen.shape, generator=random))


def typical_images(images: Images) -> Tensor:
    """The indices of up to ``TYPICAL`` images from all over the data, which may be sorted."""
    import torch

    from genctl.randomness import generator

    order = torch.randperm(len(images), generator=generator(0, "typical"))
    return order[:TYPICAL].to(images.device)

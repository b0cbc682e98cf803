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


class Coded(Condition):
    """Codes lie on a sphere; noise on the same sphere is a valid code too."""

    width: PositiveInt = Field(default=64, le=4096)
    """Length of a code."""
    jitter: NonNegativeFloat = 0.2
    """Standard deviation of what is added to a code in training.

    An exact code would be the key to one image, which the critic could learn by heart.
    """
    noise_share: float = Field(default=0.1, ge=0, le=1)
    """Share of a batch whose code is noise, so that the model also draws unconditionally."""

    @property
    def code_width(self) -> int:
        """The length of a code."""
        return self.width

    @abstractmethod
    def look(self, encoder: nn.Module, batch: Batch) -> Codes:
        """The plain codes of what ``batch`` shows, and what the encoder lowers."""

    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """Jittered codes, a share of them replaced by noise.

        The critic's are cut off from the gradient: through them the encoder could please the
        critic without any image getting better.
        """
        import torch

        from genctl.layers.sphere import to_sphere

        plain = self.look(encoder, batch)
        code, random = plain.generator, batch.random("code")
        is_noise = torch.rand(len(code), 1, generator=random).to(code) < self.noise_share
        noise = to_sphere(torch.randn(code.shape, generator=random).to(code))
        jitter = self.jitter * torch.randn(code.shape, generator=random).to(code)
        return Codes(
            generator=torch.where(is_noise, noise, to_sphere(code + jitter)),
            critic=to_sphere(plain.critic.detach() + jitter).masked_fill(is_noise, 0),
            terms=plain.terms,
        )

    def noise(self, count: int, random: torch.Generator) -> Tensor:
        """Codes spread evenly over the sphere."""
        import torch

        from genctl.layers.sphere import to_sphere

        return to_sphere(torch.randn(count, self.width, generator=random))

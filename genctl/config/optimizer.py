"""How a gradient becomes a step: Adam, with rates that follow the progress of the run."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat

from genctl.common.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from genctl.training.adam import Adam

Rate = Annotated[float, Field(gt=0, le=1e30)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(Settings):
    """Adam: Kingma and Ba 2014."""

    learning_rate: Rate = 2e-4
    """Step size of every network that has no rate of its own."""
    critic_learning_rate: Rate | None = None
    """Step size of the critic."""
    encoder_learning_rate: Rate | None = None
    """Step size of the condition encoder."""
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Decay of the running means of the gradient and of its square."""
    encoder_betas: tuple[Beta, Beta] | None = None
    """The same for the encoder, whose task does not change while it learns."""
    epsilon: PositiveFloat = 1e-8
    """Added to the denominator."""
    warmup_images: NonNegativeInt = 0
    """Images over which the rates rise from zero."""
    decay: Literal["none", "linear", "cosine"] = "none"
    """How the rates fall to zero over the run."""
    decay_from: float = Field(default=0.0, ge=0, lt=1)
    """Share of the run after which they begin to fall."""

    def build(self, role: str, network: nn.Module) -> Adam | None:
        """The optimizer of the network of ``role``; None for one that has nothing to learn."""
        from genctl.training.adam import Adam

        parameters = list(network.parameters())
        betas = (self.encoder_betas if role == "encoder" else None) or self.betas
        return Adam(parameters, betas, self.epsilon) if parameters else None

    def rate(self, role: str, images: int, progress: float) -> float:
        """The step size of ``role`` after ``images``, at ``progress`` (0 to 1) of the run."""
        own = {"critic": self.critic_learning_rate, "encoder": self.encoder_learning_rate}
        return (own.get(role) or self.learning_rate) * self.rate_factor(images, progress)

    def rate_factor(self, images: int, progress: float) -> float:
        """What the step sizes are multiplied by after ``images``, at ``progress`` (0 to 1)."""
        warm = min((images + 1) / self.warmup_images, 1.0) if self.warmup_images else 1.0
        fallen = max(progress - self.decay_from, 0) / (1 - self.decay_from)
        match self.decay:
            case "linear":
                return warm * max(1 - fallen, 0)
            case "cosine":
                return warm * (1 + cos(pi * min(fallen, 1))) / 2
        return warm

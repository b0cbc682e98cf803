"""Settings of the optimizer: Adam, with learning rates that depend on the progress of the run."""

from __future__ import annotations

from math import cos, pi
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat

from genctl.common.settings import Settings

LearningRate = Annotated[float, Field(gt=0, le=1e30)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(Settings):
    """Adam (Kingma and Ba 2014)."""

    learning_rate: LearningRate = 2e-4
    """Learning rate of every network without one of its own."""
    critic_learning_rate: LearningRate | None = None
    """Learning rate of the critic; null means `learning_rate`."""
    encoder_learning_rate: LearningRate | None = None
    """Learning rate of the encoder; null means `learning_rate`."""
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Decay rates of the running averages of the gradient and of its square."""
    encoder_betas: tuple[Beta, Beta] | None = None
    """Betas of the encoder; null means `betas`."""
    eps: PositiveFloat = 1e-8
    """Added to the denominator of each update."""
    warmup_images: NonNegativeInt = 0
    """Images over which the learning rates rise linearly from zero."""
    schedule: Literal["none", "linear", "cosine"] = "none"
    """How the learning rates fall to zero by the end of the run."""
    schedule_start: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the run after which they begin to fall."""

    def betas_of(self, role: str) -> tuple[float, float]:
        """The betas for the network of ``role``."""
        return (self.encoder_betas if role == "encoder" else None) or self.betas

    def learning_rate_at(self, role: str, images: int, progress: float) -> float:
        """The learning rate of ``role`` after ``images``, at ``progress`` (0 to 1) of the run."""
        own = {"critic": self.critic_learning_rate, "encoder": self.encoder_learning_rate}
        return (own.get(role) or self.learning_rate) * self.schedule_factor(images, progress)

    def schedule_factor(self, images: int, progress: float) -> float:
        """The factor on learning rates after ``images``, at ``progress`` (0 to 1) of the run."""
        warmup = min((images + 1) / self.warmup_images, 1.0) if self.warmup_images else 1.0
        decayed = max(progress - self.schedule_start, 0) / (1 - self.schedule_start)
        match self.schedule:
            case "linear":
                return warmup * max(1 - decayed, 0)
            case "cosine":
                return warmup * (1 + cos(pi * min(decayed, 1))) / 2
        return warmup

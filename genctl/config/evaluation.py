"""The settings of scoring during training."""

from pydantic import Field, NonNegativeInt

from genctl.common.settings import Settings


class EvaluationSettings(Settings):
    """How often a run is scored, and on how much."""

    every: NonNegativeInt = 0
    """Images from one score to the next; 0 never scores and keeps the last weights as the model."""
    samples: int = Field(default=2000, ge=100, le=100_000)
    """Images drawn for a score."""

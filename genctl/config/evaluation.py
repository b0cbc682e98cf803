"""The settings of scores during training."""

from pydantic import Field, NonNegativeInt

from genctl.common.settings import Settings


class EvaluationSettings(Settings):
    """How often a run is scored, and on how many images."""

    every: NonNegativeInt = 0
    """Images from one score to the next; 0 never scores, and the last weights are the model."""
    num_samples: int = Field(default=2000, ge=100, le=100_000)
    """Generated images for each score."""

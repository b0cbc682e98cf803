"""Settings of scores during training."""

from pydantic import Field, NonNegativeInt

from genctl.common.settings import Settings


class EvaluationSettings(Settings):
    """How often a run is scored, and with how many images."""

    every: NonNegativeInt = 0
    """Images between scores; the model of the run is the one with the best score. With 0 there are
    no scores, and the model is the last one."""
    num_samples: int = Field(default=2000, ge=100, le=100_000)
    """Number of generated images in each score."""

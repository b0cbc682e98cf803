"""The settings of a training run that belong to no network and no objective."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from genctl.common.settings import Bookkeeping, Settings


class TrainingSettings(Settings):
    """How long, in which batches, and what is kept."""

    images: Annotated[PositiveInt, Bookkeeping()] = 1_000_000
    """Training budget, counted in real images that the critic has seen."""
    batch_size: int = Field(default=64, ge=2, le=65536)
    """Images in a batch."""
    seed: NonNegativeInt = 0
    """Where all randomness of the run comes from."""
    patience: NonNegativeInt = 0
    """Stop when the score was not better for this many images; 0 never does."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`bf16` computes most products in bfloat16; `auto` does where the machine is made for it."""
    average_half_life: NonNegativeFloat = 10_000
    """Images after which a weight counts half in the average that is sampled from."""
    average_warmup: float = Field(default=0.05, ge=0, le=1)
    """The half-life is at most this share of the images seen so far."""
    engine: Annotated[Literal["auto", "eager", "compiled", "graph"], Bookkeeping()] = "auto"
    """How a step is executed: `eager`, one operation after the other; `compiled` by torch's
    compiler; `graph`, recorded once as a CUDA graph. All compute the same; `auto` takes `graph` on
    a CUDA device, else `eager`."""
    checkpoint_every: Annotated[PositiveInt, Bookkeeping()] = 100_000
    """Images from one checkpoint, with its grid of samples, to the next."""
    log_every: Annotated[PositiveInt, Bookkeeping()] = 5_000
    """Images from one line of metrics to the next."""
    keep: Annotated[PositiveInt, Bookkeeping()] = 2
    """Checkpoints that are kept."""

    def new_share(self, images: int, step_images: int) -> float:
        """The share of the new weights in the average, after ``images`` of which the last are new.

        Args:
            images: seen so far.
            step_images: of the last step.
        """
        warm = self.average_warmup * images if self.average_warmup else self.average_half_life
        half_life = min(self.average_half_life, warm)
        return 1 - 0.5 ** (step_images / half_life) if half_life else 1.0

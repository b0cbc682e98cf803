"""Settings of a training run: budget, batches, precision, checkpoints and logs."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from genctl.common.settings import Bookkeeping, Settings


class TrainingSettings(Settings):
    """Budget, batches, precision, and what is saved."""

    images: Annotated[PositiveInt, Bookkeeping()] = 1_000_000
    """Training budget, in real images."""
    batch_size: int = Field(default=64, ge=2, le=65536)
    """Images in a batch."""
    seed: NonNegativeInt = 0
    """Seed of all random numbers of the run."""
    patience: NonNegativeInt = 0
    """Stop when the score has not improved for this many images; 0 never stops early."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`bf16` computes most products in bfloat16; `auto` does so where the hardware supports it."""
    ema_half_life: NonNegativeFloat = 10_000
    """Half-life, in images, of a weight in the exponential moving average used for sampling."""
    ema_rampup: float = Field(default=0.05, ge=0, le=1)
    """The half-life is at most this fraction of the images seen so far; 0 removes the limit."""
    engine: Annotated[Literal["auto", "eager", "cuda_graph"], Bookkeeping()] = "auto"
    """`eager` executes one operation after the other, `cuda_graph` records a step once and replays
    it. Both compute the same; `auto` is `cuda_graph` on a CUDA device, else `eager`."""
    threads: Annotated[PositiveInt | Literal["auto"], Bookkeeping()] = "auto"
    """Threads that compute a step on a CPU. `auto` measures at the start of a run how many are
    fastest, and keeps to that when it is resumed; `OMP_NUM_THREADS` comes before it."""
    deterministic: Annotated[bool, Bookkeeping()] = False
    """On a GPU, use only algorithms that compute the same bits every time, so that a resumed run
    ends with the bits of an uninterrupted one. On a CPU that is always so."""
    checkpoint_every: Annotated[PositiveInt, Bookkeeping()] = 100_000
    """Images between checkpoints; a sample grid comes with each."""
    log_every: Annotated[PositiveInt, Bookkeeping()] = 5_000
    """Images between lines of metrics."""
    keep: Annotated[PositiveInt, Bookkeeping()] = 2
    """Number of checkpoints to keep."""

    def ema_weight(self, images: int, step_images: int) -> float:
        """The weight of the current weights in the moving average.

        Args:
            images: images seen so far, those of the last step included.
            step_images: images of the last step.
        """
        limit = self.ema_rampup * images if self.ema_rampup else self.ema_half_life
        half_life = min(self.ema_half_life, limit)
        return 1 - 0.5 ** (step_images / half_life) if half_life else 1.0

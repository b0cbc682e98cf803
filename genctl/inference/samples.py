"""What ``genctl sample`` generates: a request, and the set of samples that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from genctl.common.errors import OutOfMemory, UsageError
from genctl.common.reporting import OnProgress
from genctl.inference import sampling
from genctl.inference.resolve import every_class, resolve
from genctl.inference.resolved import Notify, ResolvedCondition
from genctl.runs.model_file import TrainedModel

MAX_SEED = 2**63 - 1  # what an npz file can hold
MAX_STEPS = 1000  # passes; more bring a flow no closer to its end


def ignore(value: object) -> None:
    """Do nothing, for callers who want no messages and no progress."""


@dataclass(frozen=True)
class SampleRequest:
    """What to generate. The limits hold for requests that are read from a picture."""

    conditions: tuple[str, ...] = ()
    n: Annotated[int, Field(ge=1)] = 64  # per condition; in total if there are no conditions
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    truncation: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    interpolate: bool = False
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] = 1  # passes of a flow


@dataclass(frozen=True)
class SampleSet:
    """Samples in condition-major order, generated when they are needed.

    Sample i of a condition depends on (model, condition, seed, i) alone.
    """

    request: SampleRequest
    trained: TrainedModel
    conditions: list[ResolvedCondition]

    @classmethod
    def from_request(
        cls,
        request: SampleRequest,
        trained: TrainedModel,
        info: Notify = ignore,
        warn: Notify = ignore,
    ) -> SampleSet:
        """Resolve the conditions of a request; without conditions, take every class.

        Raises:
            UsageError: the model cannot take so many steps.
            UsageError, MissingInput, BadContent: a condition cannot be resolved.
        """
        if request.conditions:
            resolved = resolve(request.conditions, trained, warn, request.n)
        else:
            resolved = every_class(trained)
            if trained.metadata.config.condition.code_dim:
                what = "every class once per row" if trained.metadata.classes else "noise"
                info(f"no --condition given: generating {what}")
        return cls.from_conditions(request, trained, resolved)

    @classmethod
    def from_conditions(
        cls, request: SampleRequest, trained: TrainedModel, resolved: list[ResolvedCondition]
    ) -> SampleSet:
        """The samples of a request whose conditions are resolved.

        Raises:
            UsageError: the model cannot take so many steps.
        """
        if request.steps > 1 and not trained.metadata.config.objective.takes_steps:
            kind = trained.metadata.config.objective.kind
            raise UsageError(
                f"--steps {request.steps}: {trained.path} was trained with {kind} and generates in "
                "one pass; only flows such as meanflow take several"
            )
        samples = cls(request, trained, resolved)
        if not request.interpolate:
            return samples
        walks = [
            condition.walk_through_z(steps)
            for condition, steps in zip(resolved, samples.counts, strict=True)
        ]
        return cls(request, trained, walks)

    def __len__(self) -> int:
        return sum(self.counts)

    @cached_property
    def counts(self) -> list[int]:
        """The number of samples of each condition."""
        n, conditions = self.request.n, len(self.conditions)
        if self.request.conditions:
            return [n] * conditions
        return [len(range(number, n, conditions)) for number in range(conditions)]

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """All samples, (B, C, H, W) uint8 at a time."""
        for first in range(0, len(self), batch_size):
            yield self._generate(first, min(first + batch_size, len(self)))

    def pixels(self, batch_size: int, on_progress: OnProgress = ignore) -> Tensor:
        """All samples, (N, C, H, W) uint8.

        Raises:
            OutOfMemory: they do not fit into memory.
        """
        shape = self.trained.metadata.config.data.shape
        try:
            pixels = torch.empty(
                len(self), shape.channels, shape.size, shape.size, dtype=torch.uint8
            )
        except RuntimeError:
            raise OutOfMemory(
                f"--n {self.request.n}: {len(self):,} images do not fit into memory; write them "
                "with --format png"
            ) from None
        done = 0
        for batch in self.batches(batch_size):
            pixels[done : done + len(batch)] = batch
            done += len(batch)
            on_progress(done / len(self))
        return pixels

    def sample(self, index: int) -> Tensor:
        """One of the samples, (C, H, W) uint8."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._generate(index, index + 1)[0]

    def _generate(self, first: int, last: int) -> Tensor:
        """The samples from ``first`` up to ``last``, which is not included."""
        seed, z, codes = self.request.seed, [], []
        for end, count, condition in zip(
            accumulate(self.counts), self.counts, self.conditions, strict=True
        ):
            start = end - count
            low, high = max(first, start), min(last, end)
            if low < high:
                z.append(condition.z(seed, low - start, high - low))
                codes.append(condition.codes(seed, low - start, high - low))
        noise = torch.cat(z) * self.request.truncation
        return sampling.generate(self.trained.model, noise, torch.cat(codes), self.request.steps)

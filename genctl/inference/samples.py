"""The work of ``genctl sample``: conditions and a seed in, samples out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from genctl.common.errors import OutOfMemory
from genctl.inference import sampling
from genctl.inference.resolve import Shown, every_class, resolve
from genctl.runs.model_file import TrainedModel

MAX_SEED = 2**63 - 1  # what an npz file can hold


@dataclass(frozen=True)
class Order:
    """What to draw; the limits are for what a stranger's picture claims."""

    conditions: tuple[str, ...] = ()
    n: Annotated[int, Field(ge=1)] = 64  # for each condition; of all together where none is given
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    truncation: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    interpolate: bool = False


@dataclass(frozen=True)
class Drawing:
    """What an order comes to: samples in condition-major order, drawn when they are asked for.

    Sample i of a condition depends on model, condition, seed and i alone.
    """

    order: Order
    trained: TrainedModel
    shown: list[Shown]

    def __len__(self) -> int:
        return sum(self.counts)

    @cached_property
    def counts(self) -> list[int]:
        """How many samples there are of each condition."""
        total, kinds = self.order.n, len(self.shown)
        if self.order.conditions:
            return [total] * kinds
        return [len(range(kind, total, kinds)) for kind in range(kinds)]

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """All samples, (B, C, H, W) uint8 at a time."""
        for stretches in _cut(self.counts, batch_size):
            yield self._draw(stretches)

    def pixels(self, batch_size: int) -> Tensor:
        """All samples, (N, C, H, W) uint8.

        Raises:
            OutOfMemory: there are too many to hold.
        """
        shape = self.trained.metadata.config.data.shape
        try:
            pixels = torch.empty(
                len(self), shape.channels, shape.size, shape.size, dtype=torch.uint8
            )
        except RuntimeError:
            raise OutOfMemory(
                f"--n {self.order.n}: {len(self):,} images do not fit into memory; write them "
                "with --format png"
            ) from None
        first = 0
        for batch in self.batches(batch_size):
            pixels[first : first + len(batch)] = batch
            first += len(batch)
        return pixels

    def sample(self, position: int) -> Tensor:
        """One of the samples, (C, H, W) uint8."""
        for condition, count in enumerate(self.counts):
            if position < count:
                return self._draw([(condition, position, 1)])[0]
            position -= count
        raise IndexError(position)

    def _draw(self, stretches: list[tuple[int, int, int]]) -> Tensor:
        zs, codes = [], []
        for condition, first, count in stretches:
            zs.append(self._noise(condition, first, count))
            codes.append(self.shown[condition].codes(self.order.seed, first, count))
        return sampling.generate(self.trained.model, torch.cat(zs), torch.cat(codes))

    def _noise(self, condition: int, first: int, count: int) -> Tensor:
        order, width = self.order, self.trained.model.z_dim
        if self.shown[condition].same_z:
            z = sampling.sample_z(order.seed, 0, 1, width).expand(count, -1)
        elif order.interpolate:
            z = _walk(order.seed, first, count, self.counts[condition], width)
        else:
            z = sampling.sample_z(order.seed, first, count, width, *self.shown[condition].own)
        return z * order.truncation


def draw(
    order: Order,
    trained: TrainedModel,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> Drawing:
    """Find out what was ordered.

    Raises:
        UsageError, MissingInput, BadContent: a condition cannot be had.
    """
    if order.conditions:
        return Drawing(order, trained, resolve(order.conditions, trained, warn, order.n))
    if trained.metadata.config.condition.code_dim:
        what = "every class once per row" if trained.metadata.classes else "noise"
        say(f"no --condition given: drawing {what}")
    return Drawing(order, trained, every_class(trained))


def _cut(counts: list[int], batch_size: int) -> Iterator[list[tuple[int, int, int]]]:
    """Batches of stretches (condition, first, count) of one condition each."""
    batch: list[tuple[int, int, int]] = []
    room = batch_size
    for condition, count in enumerate(counts):
        first = 0
        while first < count:
            part = min(room, count - first)
            batch.append((condition, first, part))
            first, room = first + part, room - part
            if not room:
                yield batch
                batch, room = [], batch_size
    if batch:
        yield batch


def _walk(seed: int, first: int, count: int, steps: int, width: int) -> Tensor:
    """Part of a way (count, width) from one z to another that stays as long as a normal z is."""
    start, end = sampling.sample_z(seed, 0, 2, width)
    angle = math.pi / 2 * sampling.fractions(first, count, steps)
    walk: Tensor = torch.cos(angle) * start + torch.sin(angle) * end
    return walk

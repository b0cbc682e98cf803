"""The processes that train one run together, as torchrun starts them; mostly it is one alone.

The first process leads: it alone writes, scores and hears signals, and tells the others, which
follow, step by step what to do. Every process keeps all weights, computes its own rows of each
batch, and their gradients are averaged, so that the step is that of one process with the whole
batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from genctl.common.devices import choose_device
from genctl.common.errors import ConfigError, Unavailable

OptionalTensor = TypeVar("OptionalTensor", Tensor, Tensor | None)

WORDS = 4  # in all that is said

PATIENCE = timedelta(days=7)  # while the first process scores and saves, the others wait


@dataclass(frozen=True)
class Peers:
    """Who else computes; ``number`` 0 leads."""

    number: int = 0
    count: int = 1
    # Over the CPU, whatever the gradients go over: what is said must not wait for a GPU.
    talk: dist.ProcessGroup | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that tells the others."""
        return self.number == 0

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that are this process's own.

        Raises:
            ConfigError: the processes' parts would not be equal.
        """
        own, rest = divmod(batch_size, self.count)
        if rest or own < 2:
            raise ConfigError(
                [f"training.batch_size: {batch_size} images cannot be shared out evenly among "
                 f"{self.count} processes, at least 2 to each; set a multiple of {self.count}"]
            )  # fmt: skip
        return slice(self.number * own, (self.number + 1) * own)

    def mean(self, tensors: Sequence[OptionalTensor]) -> Sequence[OptionalTensor]:
        """The mean of each tensor over all processes, in one exchange; None stays None.

        Raises:
            Unavailable: another process is gone.
        """
        present = [tensor for tensor in tensors if tensor is not None]
        if self.count == 1 or not present:
            return tensors
        flat = torch.cat([tensor.reshape(-1) for tensor in present])
        with _together():
            dist.all_reduce(flat)
        parts = iter(flat.div_(self.count).split([tensor.numel() for tensor in present]))
        return [tensor if tensor is None else next(parts).view_as(tensor) for tensor in tensors]

    def tell(self, *words: float) -> None:
        """Say ``WORDS`` numbers to the others; only the first process does."""
        if self.count > 1:
            said = torch.tensor(words + (0.0,) * (WORDS - len(words)), dtype=torch.float64)
            with _together():
                dist.broadcast(said, 0, group=self.talk)

    def hear(self) -> list[float]:
        """What the first process says next."""
        said = torch.empty(WORDS, dtype=torch.float64)
        with _together():
            dist.broadcast(said, 0, group=self.talk)
        words: list[float] = said.tolist()
        return words

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give the others the first process's values of tensors that all of them have."""
        if self.count > 1:
            for tensor in tensors:
                whole = tensor.contiguous()
                with _together():
                    dist.broadcast(whole, 0)
                tensor.copy_(whole)


ALONE = Peers()


@contextmanager
def joined(wish: str) -> Iterator[Peers]:
    """The processes that torchrun started with this one, for as long as the block runs.

    Args:
        wish: the device, as ``--device`` names it.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    device = own_device(wish)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    with _together():
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        talk = dist.new_group(backend="gloo", timeout=PATIENCE) if on_gpu else None
        yield Peers(dist.get_rank(), count, talk)  # type: ignore[arg-type]
    finally:
        dist.destroy_process_group()


def own_device(wish: str) -> torch.device:
    """The device that is wished for; of several GPUs, the one of this process."""
    device = choose_device(wish)
    if device.type == "cuda" and wish in ("auto", "cuda") and "LOCAL_RANK" in os.environ:
        return choose_device(f"cuda:{os.environ['LOCAL_RANK']}")
    return device


@contextmanager
def _together() -> Iterator[None]:
    """Tell what it means when an exchange fails."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise Unavailable(
            f"lost another process of this run: {reason}; run the same command again to go on"
        ) from None

"""The processes that torchrun started to train one run together; usually there is only one.

Every process keeps all weights and runs the same loop. It computes its own rows of each batch, and
gradients are averaged over all processes, so that a step equals that of a single process with the
whole batch. Rank 0 alone reads and writes the run directory, scores, and obeys signals.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from genctl.common.devices import choose_device
from genctl.common.errors import ConfigError, Unavailable, UsageError, user_error
from genctl.common.signals import Stopped

OptionalTensor = TypeVar("OptionalTensor", Tensor, Tensor | None)

NO_EXIT = -1.0  # in place of an exit code

CONTROL_TIMEOUT = timedelta(days=7)
"""How long the others wait while rank 0 trains a judge, scores or saves."""
NCCL_TIMEOUT = timedelta(minutes=10)
"""How long a GPU waits for the others within a step, before their processes are taken for lost."""


@dataclass(frozen=True)
class ProcessGroup:
    """One of the processes that train a run."""

    rank: int = 0
    size: int = 1
    # Control messages go over the CPU, so that they never wait for a GPU.
    control: dist.ProcessGroup | None = None

    @property
    def is_main(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def rows(self, batch_size: int) -> slice:
        """The rows of each batch that this process computes.

        Raises:
            ConfigError: the batch cannot be divided evenly.
        """
        own, rest = divmod(batch_size, self.size)
        if rest or own < 2:
            raise ConfigError(
                [f"training.batch_size: {batch_size} images cannot be divided evenly among "
                 f"{self.size} processes, at least 2 to each; set a multiple of {self.size}"]
            )  # fmt: skip
        return slice(self.rank * own, (self.rank + 1) * own)

    def mean(self, tensors: Sequence[OptionalTensor]) -> Sequence[OptionalTensor]:
        """The mean of each tensor over all processes, in one exchange; None stays None.

        Raises:
            Unavailable: another process is gone.
        """
        present = [tensor for tensor in tensors if tensor is not None]
        if self.size == 1 or not present:
            return tensors
        flat = torch.cat([tensor.reshape(-1) for tensor in present])
        with translate_communication_errors():
            dist.all_reduce(flat)
        parts = iter(flat.div_(self.size).split([tensor.numel() for tensor in present]))
        return [tensor if tensor is None else next(parts).view_as(tensor) for tensor in tensors]

    def broadcast(self, value: float = 0.0) -> float:
        """Rank 0's value, on every process.

        Raises:
            Unavailable: another process is gone.
            SystemExit: rank 0 has called ``send_exit``.
        """
        if self.size == 1:
            return value
        exit_code, value = self._exchange(NO_EXIT, value)
        if exit_code != NO_EXIT:
            raise SystemExit(int(exit_code))
        return value

    def send_exit(self, exit_code: int) -> None:
        """End the other processes, which wait in ``broadcast`` or will come to it.

        Raises:
            Unavailable: another process is gone.
        """
        if self.size > 1:
            self._exchange(float(exit_code), 0.0)

    @contextmanager
    def exit_sent_to_others(self) -> Iterator[None]:
        """End the other processes with the exit code of this one when the block ends."""
        exit_code = 1
        try:
            yield
            exit_code = 0
        except Stopped as stopped:
            exit_code = 128 + stopped.number
            raise
        except Exception as error:
            known = user_error(error)
            exit_code = known.exit_code if known else 1
            raise
        finally:
            with suppress(Unavailable):  # if they are gone, an error in the block says why
                self.send_exit(exit_code)

    def broadcast_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors of all processes with those of rank 0.

        Raises:
            Unavailable: another process is gone.
        """
        if self.size > 1:
            for tensor in tensors:
                contiguous = tensor.contiguous()
                with translate_communication_errors():
                    dist.broadcast(contiguous, 0)
                tensor.copy_(contiguous)

    def _exchange(self, exit_code: float, value: float) -> list[float]:
        message = torch.tensor([exit_code, value], dtype=torch.float64)
        with translate_communication_errors():
            dist.broadcast(message, 0, group=self.control)
        received: list[float] = message.tolist()
        return received


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def process_group(device_name: str) -> Iterator[ProcessGroup]:
    """The processes that torchrun started together with this one, while the block runs.

    Args:
        device_name: the value of ``--device``.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield SINGLE_PROCESS
        return
    device = local_device(device_name)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    with translate_communication_errors():
        if on_gpu:
            dist.init_process_group("nccl", timeout=NCCL_TIMEOUT)
        else:
            dist.init_process_group("gloo", timeout=CONTROL_TIMEOUT)
    try:
        control = dist.new_group(backend="gloo", timeout=CONTROL_TIMEOUT) if on_gpu else None
        yield ProcessGroup(dist.get_rank(), size, control)  # type: ignore[arg-type]
    finally:
        dist.destroy_process_group()


def local_device(device_name: str) -> torch.device:
    """The device for ``--device``; of several GPUs, the one that belongs to this process.

    Raises:
        UsageError: one GPU was named for several processes.
    """
    device = choose_device(device_name)
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    if device.index is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            f"--device {device_name}: each process that torchrun starts needs a GPU of its own; "
            "use --device cuda, and CUDA_VISIBLE_DEVICES to choose among them"
        )
    return choose_device(f"cuda:{os.environ['LOCAL_RANK']}")


@contextmanager
def translate_communication_errors() -> Iterator[None]:
    """Turn a failed exchange into an error that says what it means."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise Unavailable(
            f"lost another process of this run: {reason}; run the same command again to continue"
        ) from None

"""What the machine can do at best, and how much arithmetic a piece of work takes."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from genctl.benchmark.compare import synchronize
from genctl.common.devices import DTYPES


def matrix_peak(precision: str, device: torch.device, seconds: float = 1.0) -> float:
    """FLOP/s of the best of many products of large square matrices.

    On a CUDA device fp32 is what torch multiplies in by default, without TF32.
    """
    side = 8192 if device.type == "cuda" else 2048
    random = torch.Generator().manual_seed(0)
    left, right = (
        torch.randn(side, side, generator=random).to(device, DTYPES[precision]) for _ in range(2)
    )
    best, until = 0.0, time.perf_counter() + seconds
    while best == 0 or time.perf_counter() < until:
        synchronize(device)
        started = time.perf_counter()
        torch.mm(left, right)
        synchronize(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - started))
    return best


def flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the products and convolutions in ``work``, backward too."""
    counter = _FlopCounter()
    with counter:
        work()
    return counter.flops


class _FlopCounter(TorchDispatchMode):
    """Counts by torch's formulas.

    torch's own `FlopCounterMode` also asks which module an operation belongs to, and that fails
    where a slope at an image is taken, as in R1.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops: int = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        formula = flop_registry.get(function._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        return result

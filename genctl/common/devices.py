"""Which device to compute on, and in which precision."""

import platform
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from genctl.common.errors import GenctlError, OutOfMemory, Unavailable, UsageError, user_error

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TOLERANCES = {"fp32": 3e-3, "bf16": 3e-2}
"""Relative deviation of a right convolution; that of fp32 leaves room for TF32."""
MIN_GAIN = 0.5
"""How many times as fast as fp32 bf16 must be to be chosen. Where it is right, it is either quicker
or, by a flaw of torch (pytorch#183815), 4 to 16 times slower; a limit between the two is never met
by chance, and a choice that followed chance would cost a run its bits."""


def choose_device(wish: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` as a device that is there.

    Raises:
        UsageError: no such kind of device.
        Unavailable: this machine has none.
    """
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wish)
    except RuntimeError:
        device = torch.device("meta")
    available = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if device.type not in available:
        raise UsageError(f"--device {wish}: not a device; use auto, cpu, cuda, cuda:1 or mps")
    if (device.index or 0) >= available[device.type]:
        raise Unavailable(
            f"--device {wish}: this machine has {available[device.type]} {device.type} devices; "
            "use --device auto"
        )
    return device


def device_name(device: torch.device) -> str:
    """What the device is called by its maker."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def choose_precision(wish: str, device: torch.device) -> str:
    """What to train in; ``auto`` becomes bf16 where that is right and not slow, else fp32."""
    return training_precision(device)[0] if wish == "auto" else wish


def automatic_precision(device: torch.device) -> tuple[str, str]:
    """bf16 where the hardware multiplies in it, rightly; and why, or why not."""
    if not _multiplies_bf16(device):
        return "fp32", "the hardware does not multiply in bfloat16"
    if deviation("bf16", device) > TOLERANCES["bf16"]:
        return "fp32", "its convolutions in bfloat16 are wrong"
    return "bf16", "the hardware multiplies in bfloat16, and rightly"


def training_precision(device: torch.device) -> tuple[str, str]:
    """The same for training, where bfloat16 must not turn out many times slower.

    Drawing does not ask the clock, so that a picture never depends on how busy a machine is.
    """
    precision, why = automatic_precision(device)
    if precision == "fp32":
        return precision, why
    gain = bf16_gain(device)
    if gain < MIN_GAIN:
        return "fp32", f"its convolutions in bfloat16 are only {gain:.2f} times as fast"
    return precision, f"{why}: {gain:.1f} times as fast"


def bf16_gain(device: torch.device) -> float:
    """How many times as fast as in fp32 a critic's convolution and its gradients are in bf16.

    Both take turns, in one thread, and the quickest of each count: threads that wait for a core on
    a busy machine would drown the difference.
    """
    random = torch.Generator().manual_seed(0)
    images = torch.randn(64, 32, 16, 16, generator=random).to(device)
    weight = torch.randn(64, 32, 4, 4, generator=random).to(device)
    x, w = (
        tensor.to(memory_format=torch.channels_last).requires_grad_() for tensor in (images, weight)
    )
    took: dict[str, list[float]] = {precision: [] for precision in DTYPES}
    with _one_thread():
        for _ in range(8):
            for precision, seconds in took.items():
                _wait_for(device)
                started = time.perf_counter()
                with autocast(precision, device):
                    y = torch.nn.functional.conv2d(x, w, stride=2, padding=1)
                torch.autograd.grad(y.float().square().mean(), (x, w))
                _wait_for(device)
                seconds.append(time.perf_counter() - started)
    return min(took["fp32"]) / min(took["bf16"])


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Compute most products in the given precision."""
    enabled = precision == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Tell a full memory as what it is."""
    try:
        yield
    except GenctlError:
        raise
    except Exception as error:
        known = user_error(error)
        if not isinstance(known, OutOfMemory):
            raise
        raise known from None


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for zero: Adam's means are full of them, and they are slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def deviation(precision: str, device: torch.device) -> float:
    """How far a strided convolution and its gradients are from float64, relative; the largest.

    Wrong results of such convolutions are on record for some processors (pytorch#163347).
    """
    random = torch.Generator().manual_seed(0)
    images = torch.randn(8, 32, 16, 16, generator=random)
    weight = torch.randn(64, 32, 4, 4, generator=random) / 16
    results = []
    for place, dtype in ((torch.device("cpu"), torch.float64), (device, DTYPES[precision])):
        x, w = (tensor.to(place, dtype).requires_grad_() for tensor in (images, weight))
        y = torch.nn.functional.conv2d(x, w, stride=2, padding=1)
        slopes = torch.autograd.grad(y.square().mean(), (x, w))
        results.append([tensor.detach().cpu().double() for tensor in (y, *slopes)])
    return max(
        float((rough - exact).norm() / exact.norm()) for exact, rough in zip(*results, strict=True)
    )

"""Which device to compute on, and in which precision."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from genctl.common.errors import OutOfMemory, Unavailable, UsageError, user_error

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
MAX_RELATIVE_ERROR = {"fp32": 3e-3, "bf16": 3e-2}
"""Of a correct convolution; that of fp32 allows for TF32."""
MIN_BF16_SPEEDUP = 0.5
"""bf16 is used if it takes at most twice as long as fp32. Where it is correct it is either faster,
or 4 to 16 times slower by a flaw of torch (pytorch#183815). A limit between the two is never
reached by chance, so the choice, which changes the bits of a run, does not depend on the load."""


def choose_device(name: str) -> torch.device:
    """The device called ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        UsageError: no such kind of device.
        Unavailable: this machine has none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if device.type not in counts:
        raise UsageError(f"--device {name}: not a device; use auto, cpu, cuda, cuda:1 or mps")
    if (device.index or 0) >= counts[device.type]:
        raise Unavailable(
            f"--device {name}: this machine has {counts[device.type]} {device.type} devices; "
            "use --device auto"
        )
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # else torch would use the first GPU too, here and there
    return device


def device_name(device: torch.device) -> str:
    """The model name of the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Compute most products in the given precision."""
    enabled = precision == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Treat numbers below 1e-38 as zero: Adam's averages are full of them, and they are slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def restored_threads() -> Iterator[None]:
    """Afterwards, torch computes with as many threads as before the block."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def without_tf32() -> Iterator[None]:
    """Compute convolutions of float32 in float32, so that scores do not depend on the device."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


@contextmanager
def deterministic_algorithms(enabled: bool) -> Iterator[None]:
    """If enabled, compute the same bits every time on a GPU too, more slowly."""
    if not enabled:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    # By default torch would fill every new tensor with NaN, which takes 200 kernels a step.
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]


@contextmanager
def translate_memory_errors() -> Iterator[None]:
    """Turn every kind of error that means a full memory into OutOfMemory."""
    try:
        yield
    except Exception as error:
        known = user_error(error)
        if not isinstance(known, OutOfMemory):
            raise
        raise known from None


# -- precision ------------------------------------------------------------------------------------


def choose_precision(setting: str, device: torch.device) -> str:
    """The precision to train in: that of ``training.precision``, unless it is ``auto``."""
    return auto_training_precision(device)[0] if setting == "auto" else setting


def auto_precision(device: torch.device) -> tuple[str, str]:
    """bf16 where the hardware supports it and computes correctly, else fp32; and the reason.

    The speed is not measured, so that samples never depend on how busy a machine is.
    """
    if not _supports_bf16(device):
        return "fp32", "the hardware does not multiply in bfloat16"
    if relative_error("bf16", device) > MAX_RELATIVE_ERROR["bf16"]:
        return "fp32", "its convolutions in bfloat16 are wrong"
    return "bf16", "the hardware multiplies in bfloat16, with correct results"


def auto_training_precision(device: torch.device) -> tuple[str, str]:
    """The same for training, where bf16 must not be many times slower either."""
    precision, reason = auto_precision(device)
    if precision == "fp32" or device.type == "cuda":  # the flaw is that of CPUs
        return precision, reason
    speedup = bf16_speedup(device)
    if speedup < MIN_BF16_SPEEDUP:
        return "fp32", f"its convolutions in bfloat16 are only {speedup:.2f} times as fast"
    return precision, f"{reason}: {speedup:.1f} times as fast"


def bf16_speedup(device: torch.device) -> float:
    """How many times as fast a convolution and its gradients are in bf16 as in fp32.

    The two are measured alternately, in one thread, and the fastest time of each counts: on a busy
    machine, threads that wait for a core would hide the difference.
    """
    images, weight = (
        tensor.to(device, memory_format=torch.channels_last).requires_grad_()
        for tensor in _random_convolution(batch_size=64)
    )
    times: dict[str, list[float]] = {precision: [] for precision in DTYPES}
    with restored_threads():
        torch.set_num_threads(1)
        for _ in range(8):
            for precision, seconds in times.items():
                synchronize(device)
                started = time.perf_counter()
                with autocast(precision, device):
                    output = functional.conv2d(images, weight, stride=2, padding=1)
                torch.autograd.grad(output.float().square().mean(), (images, weight))
                synchronize(device)
                seconds.append(time.perf_counter() - started)
    return min(times["fp32"]) / min(times["bf16"])


def relative_error(precision: str, device: torch.device) -> float:
    """The largest relative error of a strided convolution and its gradients, against float64.

    Wrong results of such convolutions are known for some processors (pytorch#163347).
    """
    exact = _convolve(torch.device("cpu"), torch.float64)
    rounded = _convolve(device, DTYPES[precision])
    return max(
        float((ours - right).norm() / right.norm())
        for right, ours in zip(exact, rounded, strict=True)
    )


def _convolve(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """The output of a convolution, and the gradients of its input and its weight; in float64."""
    images, weight = (
        tensor.to(device, dtype).requires_grad_() for tensor in _random_convolution(batch_size=8)
    )
    output = functional.conv2d(images, weight / 16, stride=2, padding=1)
    gradients = torch.autograd.grad(output.square().mean(), (images, weight))
    return [tensor.detach().cpu().double() for tensor in (output, *gradients)]


def _random_convolution(batch_size: int) -> tuple[Tensor, Tensor]:
    """Images (batch_size, 32, 16, 16) and a weight (64, 32, 4, 4); always the same."""
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, 32, 16, 16, generator=rng)
    return images, torch.randn(64, 32, 4, 4, generator=rng)


def _supports_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False

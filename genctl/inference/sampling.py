"""From z and codes to pixels, so that sample i depends on (model, condition, seed, i) alone.

The last bits of a network's output for one image depend on the size of the batch around it. All
work is therefore done in batches of one fixed size, the last one padded with zeros.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn

from genctl.common.devices import DTYPES, auto_precision, autocast, without_tf32
from genctl.common.rng import torch_rng
from genctl.data.pixels import to_uint8
from genctl.model import Model

CPU_BATCH = 64  # images; larger batches are no faster on a CPU
GPU_BATCH = 1024  # smaller batches leave a GPU idle
BLOCK = 256  # samples whose random numbers come from one generator


def sample_z(seed: int, first: int, count: int, z_dim: int, *key: str) -> Tensor:
    """z (count, z_dim) of the samples ``first``, ``first + 1``, …

    Args:
        seed: the random seed.
        first: the number of the first sample.
        count: how many samples.
        z_dim: length of z.
        key: extra keys mixed into the seed.
    """

    def block(number: int) -> Tensor:
        return torch.randn(BLOCK, z_dim, generator=torch_rng(seed, "sample", *key, number))

    return from_blocks(block, first, count)


def from_blocks(block: Callable[[int], Tensor], first: int, count: int) -> Tensor:
    """Rows ``first`` to ``first + count`` of ``block(0)``, ``block(1)``, … put together."""
    numbers = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
    start = first - numbers[0] * BLOCK
    return torch.cat([block(number) for number in numbers])[start : start + count]


def fractions(first: int, count: int, steps: int) -> Tensor:
    """The positions (count, 1), 0 to 1, of steps ``first``, ``first + 1``, … of ``steps``."""
    return torch.arange(first, first + count)[:, None] / max(steps - 1, 1)


def generate(model: Model, z: Tensor, codes: Tensor, steps: int = 1) -> Tensor:
    """z (N, z_dim) and codes (N, code_dim) -> pixels (N, C, H, W) uint8 on the CPU.

    A flow goes from noise to images in ``steps`` passes; other models need one.

    Computed in bfloat16 where that is faster, unless the model was explicitly trained in fp32.
    """
    device = device_of(model)
    precision = "fp32" if model.precision == "fp32" else _automatic_precision(device)

    def pixels(z: Tensor, code: Tensor) -> Tensor:
        with autocast(precision, device):
            return to_uint8(model.generate(z, code, steps))

    with _weights_cast_to(DTYPES[precision], model):
        return in_fixed_batches(pixels, model, z, codes)


def encode(model: Model, inputs: Tensor) -> Tensor:
    """Encoder inputs (N, ...) -> codes (N, code_dim) on the CPU."""
    with without_tf32():
        return in_fixed_batches(model.encode, model, inputs)


def in_fixed_batches(function: Callable[..., Tensor], model: Model, *inputs: Tensor) -> Tensor:
    """Apply ``function`` to ``inputs`` on the model's device, batch by batch; on the CPU."""
    device, count = device_of(model), len(inputs[0])
    batch_size = batch_size_of(device)
    missing = -count % batch_size
    padded = [
        torch.cat([tensor, tensor.new_zeros(missing, *tensor.shape[1:])]).to(device)
        for tensor in inputs
    ]
    batches = zip(*(tensor.split(batch_size) for tensor in padded), strict=True)
    outputs = _map_batches(torch.inference_mode()(function), batches, device)
    return torch.cat(outputs)[:count].cpu()


def _map_batches(
    function: Callable[..., Tensor], batches: Iterable[tuple[Tensor, ...]], device: torch.device
) -> list[Tensor]:
    """The outputs for all batches; on a CPU each batch is computed by one core.

    That is faster than all cores sharing each batch, and the last bits of an output do not depend
    on the number of cores.
    """
    cores = torch.get_num_threads()
    if device.type != "cpu" or cores == 1:
        return [function(*batch) for batch in batches]
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(lambda batch: function(*batch), batches))
    finally:
        torch.set_num_threads(cores)


def batch_size_of(device: torch.device) -> int:
    """How many images are computed together on ``device``."""
    return CPU_BATCH if device.type == "cpu" else GPU_BATCH


def device_of(model: Model) -> torch.device:
    """The device of the model's weights."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _weights_cast_to(dtype: torch.dtype, model: Model) -> Iterator[None]:
    """Cast the weights once; autocast would do it for every batch."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    layers = [layer for layer in model.modules() if isinstance(layer, kinds)]
    originals = {
        weight: weight.data for layer in layers for weight in layer.parameters(recurse=False)
    }
    try:
        for weight in originals:
            weight.data = weight.data.to(dtype)
        yield
    finally:
        for weight, data in originals.items():
            weight.data = data


@cache
def _automatic_precision(device: torch.device) -> str:
    return auto_precision(device)[0]

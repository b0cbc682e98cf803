"""From noise and codes to pixels, so that sample i depends on (model, condition, seed, i) alone.

A network's result for one image changes in its last bits with the number of images beside it.
All work is therefore done in *lanes* of one fixed size, the last one filled up with zeros.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn

from genctl.common.devices import DTYPES, autocast, automatic_precision
from genctl.common.rng import generator
from genctl.data.pictures import to_bytes
from genctl.model import Model

LANE = 64  # images on a CPU, where more are no faster
WIDE_LANE = 1024  # on anything else, which would idle with fewer
BLOCK = 256  # samples whose noise is drawn together


def noise(seed: int, first: int, count: int, width: int, *of: str) -> Tensor:
    """z (count, width) of the samples ``first``, ``first + 1``, … of ``seed``.

    Args:
        seed: of all samples.
        first: the number of the first sample.
        count: samples.
        width: length of z.
        of: whose samples they are, where that shall make them others.
    """

    def block(number: int) -> Tensor:
        return torch.randn(BLOCK, width, generator=generator(seed, "sample", *of, number))

    return from_blocks(block, first, count)


def from_blocks(block: Callable[[int], Tensor], first: int, count: int) -> Tensor:
    """``count`` rows from ``first`` on of what ``block(0)``, ``block(1)``, … would be together."""
    numbers = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
    start = first - numbers[0] * BLOCK
    return torch.cat([block(number) for number in numbers])[start : start + count]


def shares(first: int, count: int, steps: int) -> Tensor:
    """How far (count, 1) the steps from ``first`` on have come of a way of ``steps``, 0 to 1."""
    return torch.arange(first, first + count)[:, None] / max(steps - 1, 1)


def draw(model: Model, z: Tensor, codes: Tensor) -> Tensor:
    """z (N, z) and codes (N, width) -> pixels (N, C, H, W) uint8 on the CPU.

    Computed in bfloat16 where that is quicker, unless the model was trained in fp32 on purpose.
    """
    device = device_of(model)
    precision = "fp32" if model.precision == "fp32" else _automatic(device)

    def pixels(z: Tensor, code: Tensor) -> Tensor:
        with autocast(precision, device):
            return to_bytes(model.generate(z, code))

    with _weights_in(DTYPES[precision], model):
        return in_lanes(pixels, model, z, codes)


def encode(model: Model, shown: Tensor) -> Tensor:
    """What is shown (N, ...) -> codes (N, width) on the CPU."""
    return in_lanes(model.encode, model, shown)


def in_lanes(work: Callable[..., Tensor], model: Model, *inputs: Tensor) -> Tensor:
    """Apply ``work`` to lanes of ``inputs`` on the model's device; the results, on the CPU."""
    device, count = device_of(model), len(inputs[0])
    lane = lane_of(device)
    missing = -count % lane
    filled = [
        torch.cat([tensor, tensor.new_zeros(missing, *tensor.shape[1:])]).to(device)
        for tensor in inputs
    ]
    lanes = zip(*(tensor.split(lane) for tensor in filled), strict=True)
    return torch.cat(_side_by_side(torch.inference_mode()(work), lanes, device))[:count].cpu()


def _side_by_side(
    work: Callable[..., Tensor], lanes: Iterable[tuple[Tensor, ...]], device: torch.device
) -> list[Tensor]:
    """The results of all lanes; on a CPU each is the work of one core.

    That is quicker than all cores at one lane, and the last bits of a result do not depend on how
    many cores there are.
    """
    cores = torch.get_num_threads()
    if device.type != "cpu" or cores == 1:
        return [work(*lane) for lane in lanes]
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(lambda lane: work(*lane), lanes))
    finally:
        torch.set_num_threads(cores)


def lane_of(device: torch.device) -> int:
    """How many images are computed together."""
    return LANE if device.type == "cpu" else WIDE_LANE


def device_of(model: Model) -> torch.device:
    """Where the model's weights lie."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _weights_in(dtype: torch.dtype, model: Model) -> Iterator[None]:
    """Cast the weights of all products once; autocast would do the same for every lane."""
    products = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    layers = [layer for layer in model.modules() if isinstance(layer, products)]
    exact = {weight: weight.data for layer in layers for weight in layer.parameters(recurse=False)}
    try:
        for weight in exact:
            weight.data = weight.data.to(dtype)
        yield
    finally:
        for weight, data in exact.items():
            weight.data = data


@cache
def _automatic(device: torch.device) -> str:
    return automatic_precision(device)[0]

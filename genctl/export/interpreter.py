"""The operations of a page computed with numpy, to compare them with torch before it is written.

The page computes the same in JavaScript: ``page/kernels.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
Operation = Mapping[str, Any]


def run(program: Mapping[str, Any], tensors: Sequence[Array], *inputs: Array) -> Array:
    """The output of a program (see ``Program.as_json``).

    Args:
        program: inputs and operations.
        tensors: the weights that operations refer to by number.
        inputs: (B, size, size, channels) or (B, channels) for each of the program's inputs.

    Returns:
        What the last operation writes, (B, size, size, channels).
    """
    registers = [_as_images(values) for values in inputs]
    for operation in program["operations"]:
        given = [registers[number] for number in operation["inputs"]]
        weights = [tensors[operation[key]] if key in operation else None for key in TENSORS]
        output = OPERATIONS[operation["operation"]](operation, given, *weights)
        shape = (len(output), operation["size"], operation["size"], operation["channels"])
        registers.append(output.reshape(shape).astype(np.float32))
    return registers[-1]


TENSORS = ("weight", "bias")


def _as_images(values: Array) -> Array:
    return values if values.ndim == 4 else values[:, None, None]


def _plus(values: Array, bias: Array | None) -> Array:
    return values if bias is None else values + bias


def _linear(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    return _plus(given[0].reshape(len(given[0]), -1) @ weight.T, bias)


def _convolution(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    kernel, stride, padding = (operation[key] for key in ("kernel", "stride", "padding"))
    padded = np.pad(given[0], ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    patches = windows.transpose(0, 1, 2, 4, 5, 3)  # (B, size, size, kernel, kernel, C)
    return _plus(patches.reshape(*patches.shape[:3], -1) @ weight.T, bias)


def _transposed_convolution(
    operation: Operation, given: list[Array], weight: Any, bias: Any
) -> Array:
    kernel, stride, padding = (operation[key] for key in ("kernel", "stride", "padding"))
    count, height, width, _ = given[0].shape
    patches = (given[0] @ weight.T).reshape(count, height, width, kernel, kernel, -1)
    size = operation["size"] + 2 * padding
    padded = np.zeros((count, size, size, operation["channels"]), np.float32)
    for row in range(kernel):
        for column in range(kernel):
            rows = slice(row, row + stride * height, stride)
            columns = slice(column, column + stride * width, stride)
            padded[:, rows, columns] += patches[:, :, :, row, column]
    return _plus(padded[:, padding : size - padding, padding : size - padding], bias)


def _weighted_sum(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    features = given[0].reshape(len(given[0]), len(weight), -1)
    return _plus((features * weight).sum(axis=1), bias)


def _modulate(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    scale, shift = np.split(given[1], 2, axis=-1)
    modulated: Array = given[0] * scale + shift
    return modulated


def _scale_constant(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    scaled: Array = given[0] * weight.reshape(operation["size"], operation["size"], -1)
    return scaled


def _upsample(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    """Bilinear doubling: each new row lies a quarter of the way to the next old one."""
    features = given[0]
    for axis in (1, 2):
        low = np.concatenate([features.take([0], axis), features], axis)
        high = np.concatenate([features, features.take([-1], axis)], axis)
        before = 0.25 * low.take(range(features.shape[axis]), axis) + 0.75 * features
        after = 0.75 * features + 0.25 * high.take(range(1, features.shape[axis] + 1), axis)
        shape = list(features.shape)
        shape[axis] *= 2
        features = np.stack([before, after], axis + 1).reshape(shape)
    return features


def _average_pool(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    count, size, _, channels = given[0].shape
    pooled: Array = given[0].reshape(count, size // 2, 2, size // 2, 2, channels).mean(axis=(2, 4))
    return pooled


def _normalize(operation: Operation, given: list[Array], weight: Any, bias: Any) -> Array:
    code = given[0].reshape(len(given[0]), -1)
    normalized: Array = code / np.sqrt((code**2).mean(axis=1, keepdims=True) + operation["eps"])
    return normalized


OPERATIONS: dict[str, Callable[[Operation, list[Array], Any, Any], Array]] = {
    "linear": _linear,
    "convolution": _convolution,
    "transposed_convolution": _transposed_convolution,
    "weighted_sum": _weighted_sum,
    "modulate": _modulate,
    "scale_constant": _scale_constant,
    "upsample": _upsample,
    "average_pool": _average_pool,
    "normalize": _normalize,
    "concatenate": lambda operation, given, weight, bias: np.concatenate(given, axis=-1),
    "add": lambda operation, given, weight, bias: given[0] + given[1],
    "mean": lambda operation, given, weight, bias: given[0].mean(axis=(1, 2)),
    "tanh": lambda operation, given, weight, bias: np.tanh(given[0]),
    "leaky_relu": lambda operation, given, weight, bias: np.where(
        given[0] > 0, given[0], given[0] * np.float32(operation["slope"])
    ),
}

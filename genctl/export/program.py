"""A network as a list of operations, for programs without torch.

Features lie in memory with their channels last: image, row, column, channel. The rows of a weight
then lie in memory as the features that they are multiplied by, which makes every layer a matrix
product of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from genctl.common.errors import UsageError


@dataclass(frozen=True)
class Features:
    """What an operation reads or writes: (size, size, channels) numbers for each image."""

    register: int
    channels: int
    size: int = 1  # side; 1 for vectors
    positions: int = 1  # of an image that was flattened: a vector of positions times channels


@dataclass
class Program:
    """Operations in the order of computation, each with its registers, sizes and weights.

    Registers are numbered: first the inputs, then the outputs of the operations.
    """

    inputs: list[Features]
    operations: list[dict[str, Any]] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)

    def add(
        self,
        operation: str,
        inputs: list[Features],
        channels: int,
        size: int = 1,
        tensors: Mapping[str, Tensor | None] | None = None,
        values: Mapping[str, float] | None = None,
    ) -> Features:
        """Append an operation.

        Args:
            operation: its name.
            inputs: what it reads.
            channels: of what it writes.
            size: the side of what it writes.
            tensors: its weights, by name.
            values: what else it needs, by name.

        Returns:
            What it writes.
        """
        output = Features(len(self.inputs) + len(self.operations), channels, size)
        described: dict[str, Any] = {
            "operation": operation,
            "inputs": [features.register for features in inputs],
            "channels": channels,
            "size": size,
            **(values or {}),
        }
        for name, tensor in (tensors or {}).items():
            if tensor is not None:
                described[name] = len(self.tensors)
                self.tensors.append(tensor.detach().float().contiguous())
        self.operations.append(described)
        return output

    def scale_output(self, features: Features, scale: Tensor, shift: Tensor) -> None:
        """Multiply the channels of what a layer writes by ``scale``, and add ``shift``.

        Both are folded into the weights of the layer, which must be the last operation.

        Raises:
            UsageError: the last operation has no weights that could be changed.
        """
        last = self.operations[-1] if self.operations else {}
        if features.register != len(self.inputs) + len(self.operations) - 1 or last.get(
            "operation"
        ) not in ("linear", "convolution", "transposed_convolution"):
            raise UnsupportedLayer("a BatchNorm that does not follow a convolution")
        weight = self.tensors[last["weight"]]
        rows = weight.unflatten(0, (-1, len(scale)))
        self.tensors[last["weight"]] = (rows * scale[:, None]).flatten(0, 1)
        if "bias" in last:
            bias = self.tensors[last["bias"]].unflatten(0, (-1, len(scale)))
            self.tensors[last["bias"]] = (bias * scale + shift).flatten()
            return
        last["bias"] = len(self.tensors)
        repeats = len(weight) // len(scale) if last["operation"] == "linear" else 1
        self.tensors.append(shift.repeat(repeats))

    def concatenate(self, parts: list[Features]) -> Features:
        """Vectors one after the other; those of length 0 are left out."""
        parts = [part for part in parts if part.channels]
        if len(parts) == 1:
            return parts[0]
        return self.add("concatenate", parts, sum(part.channels for part in parts))

    def linear(
        self, features: Features, weight: Tensor, bias: Tensor | None, size: int = 1
    ) -> Features:
        """A linear layer whose ``weight`` (rows, columns) has its rows and columns channels last.

        The outputs are an image of side ``size``, which has ``len(weight) / size²`` channels.
        """
        channels = len(weight) // size**2
        tensors = {"weight": weight, "bias": bias}
        return self.add("linear", [features], channels, size, tensors)

    def activation(self, features: Features, kind: str, slope: float = 0.0) -> Features:
        """A function of each number: ``leaky_relu`` with its slope below zero, or ``tanh``."""
        values = {"slope": slope} if kind == "leaky_relu" else {}
        return self.add(kind, [features], features.channels, features.size, values=values)

    def as_json(self, first_tensor: int) -> dict[str, Any]:
        """The program with its tensors numbered from ``first_tensor`` on."""
        names = ("weight", "bias")
        return {
            "inputs": len(self.inputs),
            "operations": [
                {
                    key: value + first_tensor if key in names else value
                    for key, value in operation.items()
                }
                for operation in self.operations
            ],
        }


class UnsupportedLayer(UsageError):
    """A layer that the operations cannot express."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"cannot export a page: the model has {what}, which a page cannot compute; "
            "export ONNX files instead, without --page"
        )


def in_half_precision(tensor: Tensor) -> Tensor:
    """A tensor in fp16.

    Raises:
        UsageError: a weight is too large for fp16.
    """
    half = tensor.to(torch.float16)
    if not torch.isfinite(half).all():
        raise UnsupportedLayer("weights above 65,504")
    return half

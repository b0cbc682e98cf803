"""Weights as flat dictionaries of named tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from genctl.common.errors import BadContent


def prefixed(prefix: str, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``{"weight": w}`` as ``{"prefix.weight": w}``."""
    return {f"{prefix}.{name}": tensor for name, tensor in values.items()}


def without_prefix(prefix: str, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries whose names begin with ``prefix``, without it."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in values.items() if name.startswith(start)}


def load_weights(network: nn.Module, values: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a network, which must match exactly.

    Raises:
        BadContent: naming the first three differences.
    """
    require_matching(network.state_dict(), values, path)
    network.load_state_dict(values)


def require_matching(
    expected: Mapping[str, Tensor], values: Mapping[str, Tensor], path: Path
) -> None:
    """Refuse tensors that differ from ``expected`` in name, shape or dtype.

    Raises:
        BadContent: naming the first three differences.
    """
    differences = [f"{name} is missing" for name in expected.keys() - values.keys()]
    differences += [f"{name} is unknown" for name in values.keys() - expected.keys()]
    differences += [
        f"{name} has shape {tuple(values[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in values and values[name].shape != tensor.shape
    ]
    differences += [
        f"{name} is {values[name].dtype}, not {tensor.dtype}"
        for name, tensor in expected.items()
        if name in values and values[name].dtype != tensor.dtype
    ]
    if differences:
        raise BadContent(
            f"cannot use {path}: it does not fit its own config: "
            f"{', '.join(sorted(differences)[:3])}; get it again"
        )


class SkipInit(TorchFunctionMode):
    """Leaves the weights of networks that are built in the block uninitialized.

    For weights that are loaded next: initialization takes time, and on the device "meta" it would
    import torch's compiler. ``torch.nn.utils.skip_init`` builds one module, not a whole network.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return (torch.empty if function is torch.randn else function)(*args, **kwargs)

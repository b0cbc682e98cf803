"""CIFAR-10, through torchvision's loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from genctl.data.torchvision_sets import TorchvisionSet


class Cifar10(TorchvisionSet):
    """Krizhevsky 2009: 32x32 photographs in ten classes."""

    kind: Literal["cifar10"] = "cifar10"
    channels: Literal[1, 3] = 3
    """1 for grey, 3 for red, green and blue."""

    torchvision_class: ClassVar[str] = "CIFAR10"
    hub_name: ClassVar[str | None] = "uoft-cs/cifar10"
    native_size: ClassVar[int] = 32

    @property
    def unpacked(self) -> Path:
        """The folder of the unpacked files."""
        return self.folder / "cifar-10-batches-py"

    def _unpack(self, dataset: Any) -> tuple[Any, Any, tuple[str, ...]]:
        import torch

        pixels = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
        return pixels, torch.tensor(dataset.targets), tuple(dataset.classes)

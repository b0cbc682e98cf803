"""A data set in memory, and the interface of the settings that load one."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator

from genctl.common.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from genctl.common.reporting import Reporter
    from genctl.data.captions import Captions

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Shape:
    """``channels`` x ``size`` x ``size`` pixels."""

    channels: int
    size: int


@dataclass(frozen=True)
class Images:
    """All images of one split, with their labels."""

    pixels: Tensor  # (N, C, H, W) uint8
    labels: Tensor  # (N,) int64; zeros where there are no classes
    classes: tuple[str, ...]  # their names; empty for data without labels
    components: Images | None = None
    """Where every channel is an image of its own, as in stacked MNIST: the images they are from.

    The label is then the number whose digits are the labels of the channels, in their order.
    """
    captions: tuple[str, ...] = ()
    """A text about each image, in their order; empty for data without texts."""
    epoch: Tensor | None = None
    """The indices (M,) int64 that an epoch visits, some of them more than once; None for all."""
    tokens: Captions | None = None  # the captions as tensors, for a condition that needs them

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def judge_images(self) -> Images:
        """The images that a judge is trained on: the components, where there are any."""
        return self if self.components is None else self.components

    @property
    def shape(self) -> Shape:
        """The shape of each image."""
        return Shape(self.pixels.shape[1], self.pixels.shape[2])

    @property
    def device(self) -> torch.device:
        """The device of the pixels and labels."""
        return self.pixels.device

    def to(self, device: torch.device | str) -> Images:
        """The same images on another device."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            labels=self.labels.to(device),
            tokens=None if self.tokens is None else self.tokens.to(device),
        )

    def floats(self, index: Any) -> Tensor:
        """The images at ``index`` (an index tensor or a slice), (B, C, H, W) in [-1, 1]."""
        from genctl.data.pixels import to_floats

        return to_floats(self.pixels[index])

    def random_same_class(self, index: Tensor, share: Tensor) -> Tensor:
        """For each image at ``index`` (B,) the index (B,) of another image of its class.

        Args:
            index: indices (B,) of images. The only image of a class is paired with itself.
            share: random numbers (B,) in [0, 1) that choose among the others.
        """
        order, rank, first, count = self._by_class
        label = self.labels[index]
        others = (count[label] - 1).clamp(min=1)
        offset = 1 + (share * others).long()
        partners: Tensor = order[first[label] + (rank[index] + offset) % count[label]]
        return partners

    def digest(self) -> str:
        """SHA-256 of all pixels, labels and captions."""
        sha = hashlib.sha256(repr((tuple(self.pixels.shape), self.classes)).encode())
        sha.update(self.pixels.cpu().contiguous().numpy().data)
        sha.update(self.labels.cpu().contiguous().numpy().data)
        if self.captions:
            sha.update(json.dumps(self.captions).encode())
        return sha.hexdigest()

    @cached_property
    def _by_class(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Indices sorted by class; each image's rank in its class; each class's first and count."""
        import torch

        order = self.labels.argsort(stable=True)
        count = self.labels.bincount(minlength=max(len(self.classes), 1))
        first = count.cumsum(0) - count
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=self.device)
        rank -= first[self.labels]
        return order, rank, first, count


def _require_path(root: str) -> str:
    """Refuse text that cannot be a path."""
    if "\0" in root:
        raise ValueError("must be a path")
    try:
        Path(root).expanduser()
    except RuntimeError as error:
        raise ValueError(f"no usable path: {error}") from None
    return root


Root = Annotated[str, AfterValidator(_require_path)]
"""A folder on this machine; ``~`` stands for the home directory."""


class Data(Settings):
    """Which images to load, and the shape to bring them into."""

    kind: str
    image_size: int = Field(default=32, ge=8, le=256)
    """Height and width in pixels; a power of two."""
    channels: Literal[1, 3] = 1
    """1 for grey, 3 for red, green and blue."""

    native_size: ClassVar[int] = 0
    """Height and width before padding or resizing; 0 where they differ from image to image."""
    license: ClassVar[str | None] = None
    """SPDX name of the licence that the authors of the data set state; None where it is unknown."""
    hub_name: ClassVar[str | None] = None
    """What the data set is called on the Hugging Face Hub, where it is."""

    @field_validator("image_size")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"must be a power of two, such as 16, 32 or 64; found {value}")
        return value

    @field_validator("channels", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        if type(value) is not int:  # for pydantic, 1.0 and true are the literal 1
            raise ValueError("must be an integer, 1 or 3")
        return value

    @property
    def caption_attributes(self) -> tuple[int, ...]:
        """How many values each attribute has that captions say besides the class."""
        return ()

    @property
    def shape(self) -> Shape:
        """The shape that every image is brought into."""
        return Shape(self.channels, self.image_size)

    def without_foreign_root(self) -> Self:
        """These settings without a root of another machine, which a model file may bring along."""
        return self

    @property
    def transparent_ground(self) -> Literal["black", "white"] | None:
        """What shows through transparent pictures; None to choose it for each by its content."""
        return None

    def local_path(self) -> Path | None:
        """Where the images are on this machine; None where they would have to be downloaded."""
        return None

    @abstractmethod
    def load(self, split: Split) -> Images:
        """All images of one split.

        Raises:
            Unavailable: files are missing and cannot be downloaded.
            BadContent: files are there but damaged.
        """

    def load_splits(self, reporter: Reporter) -> tuple[Images, Images]:
        """The training images and the test images; ``reporter`` hears what is worth knowing.

        Raises:
            Unavailable: files are missing and cannot be downloaded.
            BadContent: files are there but damaged.
        """
        return self.load("train"), self.load("test")

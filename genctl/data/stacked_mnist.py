"""Three digits on top of each other as red, green and blue: a set with 1,000 known modes.

Introduced by Metz et al. 2017 (Unrolled GANs) to count how many modes a generator finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.data.base import Images, Split
from genctl.data.torchvision_sets import Mnist

if TYPE_CHECKING:
    from torch import Tensor

HELD_OUT = 25_600  # as many as modes are usually counted among


class StackedMnist(Mnist):
    """MNIST in three shuffled layers; the class is the number that the three digits spell."""

    kind: Literal["stacked_mnist"] = "stacked_mnist"  # type: ignore[assignment]
    channels: Literal[3] = 3  # type: ignore[assignment]
    """Red, green and blue."""

    def load(self, split: Split) -> Images:
        """Each training digit once in each colour; 25,600 triples of held-out digits."""
        import torch

        from genctl.common.rng import torch_rng

        grey = Mnist(root=self.root, image_size=self.image_size).load(split)
        count = len(grey) if split == "train" else HELD_OUT

        def order(colour: int) -> Tensor:
            """Every digit once, then every digit again in another order."""
            random = torch_rng(0, "stack", split, colour)
            rounds = range(-(-count // len(grey)))
            return torch.cat([torch.randperm(len(grey), generator=random) for _ in rounds])[:count]

        orders = [order(colour) for colour in range(3)]
        red, green, blue = (grey.labels[order] for order in orders)
        return Images(
            torch.cat([grey.pixels[order] for order in orders], dim=1),
            100 * red + 10 * green + blue,
            tuple(f"{number:03d}" for number in range(1000)),
            planes=grey,
        )

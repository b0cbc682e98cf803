"""Three digits as the red, green and blue channel of an image: a data set of 1,000 modes.

Introduced by Metz et al. 2017 (Unrolled GANs) to count how many modes a generator finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.data.base import Images, Split
from genctl.data.torchvision_sets import Mnist

if TYPE_CHECKING:
    from torch import Tensor

TEST_IMAGES = 25_600  # the usual number of samples in which modes are counted


class StackedMnist(Mnist):
    """MNIST, shuffled separately for each channel; the class is the three digits as a number."""

    kind: Literal["stacked_mnist"] = "stacked_mnist"  # type: ignore[assignment]
    channels: Literal[3] = 3  # type: ignore[assignment]
    """Red, green and blue."""

    def load(self, split: Split) -> Images:
        """Each training digit once in each channel, or 25,600 triples of test digits."""
        import torch

        from genctl.common.rng import torch_rng

        grey = Mnist(root=self.root, image_size=self.image_size).load(split)
        count = len(grey) if split == "train" else TEST_IMAGES

        def order(channel: int) -> Tensor:
            """Every digit once, then every digit again in another order."""
            rng = torch_rng(0, "stack", split, channel)
            rounds = range(-(-count // len(grey)))
            return torch.cat([torch.randperm(len(grey), generator=rng) for _ in rounds])[:count]

        orders = [order(channel) for channel in range(3)]
        red, green, blue = (grey.labels[order] for order in orders)
        return Images(
            torch.cat([grey.pixels[order] for order in orders], dim=1),
            100 * red + 10 * green + blue,
            tuple(f"{number:03d}" for number in range(1000)),
            components=grey,
        )

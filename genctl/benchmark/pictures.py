"""A data set as everyone first writes it: pictures by PIL, one at a time, through transforms."""

import random
from collections.abc import Iterator
from typing import Any

from PIL import Image as Picture
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from genctl.conditions.base import Condition
from genctl.conditions.image import Image
from genctl.data.base import Images
from genctl.data.pictures import picture_of


class Pictures(Dataset[tuple[Tensor, Tensor, int]]):
    """Gives for each picture a real one, the one that is shown, and the class of both.

    Pictures have the size that the networks want, so that nothing has to be resized.
    """

    def __init__(self, images: Images, condition: Condition) -> None:
        self.pictures: list[Picture.Image] = [picture_of(pixels) for pixels in images.pixels]
        self.labels: list[int] = images.labels.tolist()
        self.members: dict[int, list[int]] = {}
        for index, label in enumerate(self.labels):
            self.members.setdefault(label, []).append(index)
        self.shows = isinstance(condition, Image)
        channels = images.shape.channels
        plain: list[Any] = [
            transforms.ToTensor(),
            transforms.Normalize([0.5] * channels, [0.5] * channels),
        ]
        self.plain = self.moved = transforms.Compose(plain)
        if isinstance(condition, Image):
            move = transforms.RandomAffine(
                condition.turn,
                translate=(condition.shift, condition.shift),
                scale=(1 - condition.scale, 1 + condition.scale),
                interpolation=transforms.InterpolationMode.BILINEAR,
            )
            self.moved = transforms.Compose([move, *plain])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        label = self.labels[index]
        real = self.plain(self.pictures[index])
        if not self.shows:
            return real, real, label
        partner = random.choice(self.members[label])
        return real, self.moved(self.pictures[partner]), label


def endless(pictures: Pictures, batch_size: int, workers: int) -> Iterator[list[Tensor]]:
    """Shuffled batches, epoch after epoch."""
    loader = DataLoader(
        pictures, batch_size, shuffle=True, drop_last=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    while True:
        yield from loader

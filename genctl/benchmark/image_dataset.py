"""A data set as most people first write it: PIL images, one at a time, through transforms."""

import random
from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image as PILImage
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from genctl.conditions.base import Condition
from genctl.conditions.image import Image
from genctl.data.base import Images
from genctl.data.pictures import tensor_to_pil


class ImageDataset(Dataset[tuple[Tensor, Tensor, int]]):
    """Yields the real images (n, C, H, W) of a code, what the encoder sees, and their class.

    The images already have the size that the networks need, so nothing is resized.
    """

    def __init__(self, images: Images, condition: Condition) -> None:
        self.pictures: list[PILImage.Image] = [tensor_to_pil(pixels) for pixels in images.pixels]
        self.labels: list[int] = images.labels.tolist()
        self.members: dict[int, list[int]] = {}
        for index, label in enumerate(self.labels):
            self.members.setdefault(label, []).append(index)
        self.has_condition_images = isinstance(condition, Image)
        self.images_per_code = condition.images_per_code if isinstance(condition, Image) else 1
        channels = images.shape.channels
        to_tensor: list[Any] = [
            transforms.ToTensor(),
            transforms.Normalize([0.5] * channels, [0.5] * channels),
        ]
        self.transform = self.augment = transforms.Compose(to_tensor)
        if isinstance(condition, Image):
            augment = condition.augment
            affine = transforms.RandomAffine(
                augment.degrees,
                translate=(augment.translate, augment.translate),
                scale=(1 - augment.scale, 1 + augment.scale),
                interpolation=transforms.InterpolationMode.BILINEAR,
            )
            self.augment = transforms.Compose([affine, *to_tensor])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        label = self.labels[index]
        image = self.transform(self.pictures[index])
        if not self.has_condition_images:
            return image[None], image, label
        count = self.images_per_code
        partner, *others = random.choices(self.members[label], k=count)
        real = [image, *(self.transform(self.pictures[other]) for other in others)]
        return torch.stack(real), self.augment(self.pictures[partner]), label


def endless_batches(
    dataset: ImageDataset, batch_size: int, workers: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Shuffled batches of real images, condition images and labels, epoch after epoch."""
    loader = DataLoader(
        dataset, batch_size // dataset.images_per_code, shuffle=True, drop_last=True,
        num_workers=workers, persistent_workers=workers > 0,
    )  # fmt: skip
    while True:
        for real, condition_images, labels in loader:
            yield real.flatten(0, 1), condition_images, labels.repeat_interleave(real.shape[1])

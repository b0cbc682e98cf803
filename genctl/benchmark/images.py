"""Images to measure with."""

import torch

from genctl.config.config import Config
from genctl.data.base import Images

CLASSES = tuple("0123456789")  # of random images and untrained models
NUM_RANDOM_IMAGES = 10_000  # in place of a data set that is not on this machine


def training_images(config: Config) -> tuple[Images, str]:
    """The training images if they are on this machine, else random ones; and their name."""
    if config.data.local_path() is not None:
        return config.data.load("train"), config.data.kind
    return random_images(config), "random images"


def random_images(config: Config) -> Images:
    """Random images of the size that the config asks for."""
    shape, rng = config.data.shape, torch.Generator().manual_seed(0)
    size = (NUM_RANDOM_IMAGES, shape.channels, shape.size, shape.size)
    pixels = torch.randint(256, size, generator=rng, dtype=torch.uint8)
    labels = torch.arange(NUM_RANDOM_IMAGES) % len(CLASSES)
    return Images(pixels, labels, CLASSES)

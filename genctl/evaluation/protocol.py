"""Which real images are used in an evaluation, and what a model generates for them."""

from __future__ import annotations

import torch
from torch import Tensor

from genctl.common.rng import torch_rng
from genctl.conditions.base import Condition
from genctl.data.base import Images
from genctl.inference import sampling
from genctl.model import Model


def is_conditional(condition: Condition) -> bool:
    """Whether samples have a condition to agree with."""
    return condition.code_dim > 0


def random_indices(images: Images, count: int, *purpose: str) -> Tensor:
    """Indices (count,) of images in a fixed shuffled order, which repeats if count is larger."""
    order = torch.randperm(len(images), generator=torch_rng(0, "evaluate", *purpose))
    return order[torch.arange(count) % len(order)]


def sample(model: Model, images: Images, index: Tensor, seed: int) -> Tensor:
    """Generate a sample with each of the images at ``index`` as the condition.

    Returns:
        Pixels (len(index), C, H, W) uint8 on the CPU.
    """
    return _sample(model, model.condition.encoder_inputs(images, index), seed, 1)


def sample_kinds(model: Model, images: Images, index: Tensor, seed: int, per_image: int) -> Tensor:
    """Generate ``per_image`` samples of the kind of each of the images at ``index``, and no more.

    Returns:
        Pixels (len(index) * per_image, C, H, W) uint8 on the CPU, image by image.
    """
    return _sample(model, model.condition.kind_inputs(images, index), seed, per_image)


def _sample(model: Model, inputs: Tensor, seed: int, per_image: int) -> Tensor:
    codes = sampling.encode(model, inputs)
    z = sampling.sample_z(seed, 0, len(inputs) * per_image, model.z_dim)
    return sampling.generate(model, z, codes.repeat_interleave(per_image, dim=0))

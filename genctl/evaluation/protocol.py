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


def sample(model: Model, images: Images, index: Tensor, seed: int, per_image: int = 1) -> Tensor:
    """Generate ``per_image`` samples with each of the images at ``index`` as the condition.

    Returns:
        Pixels (len(index) * per_image, C, H, W) uint8 on the CPU, image by image.
    """
    codes = sampling.encode(model, model.condition.encoder_inputs(images, index))
    z = sampling.sample_z(seed, 0, len(index) * per_image, model.z_dim)
    return sampling.generate(model, z, codes.repeat_interleave(per_image, dim=0))

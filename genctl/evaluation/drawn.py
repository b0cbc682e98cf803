"""What a model draws when it is shown real images, one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from genctl.common.rng import torch_rng
from genctl.conditions.base import Condition
from genctl.data.base import Images
from genctl.inference import sampling
from genctl.model import Model


def asks_for_a_class(condition: Condition) -> bool:
    """Whether a sample can disagree with what was shown."""
    return condition.code_dim > 0


def choose(images: Images, count: int, *purpose: str) -> Tensor:
    """Indices (count,) of images in an order that is always the same; all of them, then again."""
    order = torch.randperm(len(images), generator=torch_rng(0, "evaluate", *purpose))
    return order[torch.arange(count) % len(order)]


def draw(model: Model, images: Images, index: Tensor, seed: int, each: int = 1) -> Tensor:
    """Samples (len(index) * each, C, H, W) uint8 on the CPU, ``each`` for every image in turn."""
    codes = sampling.encode(model, model.condition.encoder_inputs(images, index))
    z = sampling.sample_z(seed, 0, len(index) * each, model.z_dim)
    return sampling.generate(model, z, codes.repeat_interleave(each, dim=0))

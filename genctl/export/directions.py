"""The directions of z along which a generator's images change most."""

from __future__ import annotations

import torch
from torch import Tensor

from genctl.common.rng import torch_rng
from genctl.model import Model

NUM_GRADIENTS = 2048
BATCH_SIZE = 64
STEP = 2.0  # along a direction, to see whether images get brighter


def principal_directions(model: Model, codes: Tensor, count: int) -> Tensor:
    """Up to ``count`` orthogonal directions (count, z_dim) of length 1, the strongest first.

    A principal component analysis of how images change with z: the eigenvectors of the mean of
    JᵀJ, where J is the derivative of G(z, code) by z. With random weights w of the pixels, the
    gradient of the weighted sum of pixels is Jᵀw, and (Jᵀw)(Jᵀw)ᵀ has the mean JᵀJ. Compare
    Ramesh et al. 2018 and Wang and Ponce 2021. Each direction points to brighter images.

    Args:
        model: the generator.
        codes: typical codes (M, code_dim).
        count: how many directions.
    """
    rng = torch_rng(0, "directions")
    moments = torch.zeros(model.z_dim, model.z_dim, dtype=torch.float64)
    for _ in range(NUM_GRADIENTS // BATCH_SIZE):
        z = torch.randn(BATCH_SIZE, model.z_dim, generator=rng).requires_grad_()
        images = model.generate(z, codes[torch.randint(len(codes), (BATCH_SIZE,), generator=rng)])
        weights = torch.randn(images.shape, generator=rng)
        (gradients,) = torch.autograd.grad((images * weights).sum(), z)
        moments += (gradients.T @ gradients).double()
    directions: Tensor = torch.linalg.eigh(moments).eigenvectors.T.flip(0)[:count].float()
    signs = [_brightening(model, codes, each) for each in directions]
    brighter: Tensor = directions * torch.tensor(signs)[:, None]
    return brighter


@torch.no_grad()
def _brightening(model: Model, codes: Tensor, direction: Tensor) -> float:
    """1 if images get brighter along ``direction``, else -1."""
    rng = torch_rng(0, "brightening")
    z = torch.randn(BATCH_SIZE, model.z_dim, generator=rng)
    code = codes[torch.randint(len(codes), (BATCH_SIZE,), generator=rng)]
    change = model.generate(z + STEP * direction, code) - model.generate(z - STEP * direction, code)
    return -1.0 if change.mean() < 0 else 1.0

"""Codes of equal length: a code of width w lies on the sphere of radius sqrt(w)."""

import torch
from torch import Tensor


def to_sphere(code: Tensor) -> Tensor:
    """Scale each row of ``code`` (B, width) so that the mean of its squares is 1."""
    code = code.float()
    return code * torch.rsqrt(code.square().mean(dim=1, keepdim=True) + 1e-8)

"""Codes of equal length: a code of length d lies on the sphere of radius sqrt(d)."""

import torch
from torch import Tensor


def normalize(code: Tensor) -> Tensor:
    """Scale each row of ``code`` (B, d) so that the mean of its squares is 1."""
    code = code.float()
    return code * torch.rsqrt(code.square().mean(dim=1, keepdim=True) + 1e-8)

"""Pictures of strokes whose measures are known."""

import math

import numpy as np
import torch
from torch import Tensor

SIDE = 28
FINE = 8  # points per pixel and axis


def capsule(thickness: float, degrees: float, length: float = 18.0) -> Tensor:
    """A straight stroke with round ends through the middle, (1, SIDE, SIDE) uint8."""
    down, across = np.mgrid[0 : SIDE * FINE, 0 : SIDE * FINE] / FINE - SIDE / 2
    direction = np.array([math.sin(math.radians(degrees)), -math.cos(math.radians(degrees))])
    places = np.stack([across, down], axis=-1)
    along = (places @ direction).clip(-length / 2, length / 2)
    distance = np.linalg.norm(places - along[..., None] * direction, axis=-1)
    return _averaged(distance < thickness / 2)


def sheared_ellipse(width: float, height: float, degrees: float) -> Tensor:
    """A filled ellipse with upright axes, whose top a shear moves to the right."""
    down, across = np.mgrid[0 : SIDE * FINE, 0 : SIDE * FINE] / FINE - SIDE / 2
    straight = across + math.tan(math.radians(degrees)) * down
    return _averaged((2 * straight / width) ** 2 + (2 * down / height) ** 2 < 1)


def _averaged(inside: np.ndarray) -> Tensor:
    shares = inside.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
    return torch.from_numpy(shares * 255).round().byte()[None]

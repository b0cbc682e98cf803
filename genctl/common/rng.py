"""Randomness as a function of (seed, purpose, count): a resumed run draws what it would have."""

import hashlib

import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose; different purposes give unrelated seeds."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator on the CPU that always draws the same for one seed and purpose."""
    return torch.Generator().manual_seed(derive(seed, *purpose))

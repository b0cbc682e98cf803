"""Randomness as a function of (seed, purpose, count), so that a resumed run repeats nothing."""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose; the seeds of different purposes are unrelated."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


def torch_rng(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator that always yields the same numbers for one seed and purpose."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))

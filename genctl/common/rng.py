"""Random numbers as a function of (seed, purpose, count), so that a resumed run continues them."""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, unrelated to the seeds of other purposes."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


def torch_rng(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator that yields the same numbers for the same seed and purpose."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))

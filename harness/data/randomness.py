"""Random streams as functions of their names: generator("purpose", seed, index) is always the same.

Every random number of a study comes from here, so that none depends on what ran before it, on the
batch size or on the number of devices (promise 1 in DESIGN.md). The key of the counter-based
generator (Philox, Salmon et al. 2011) is the first half of the SHA-256 of the stream's name: two
different names share a stream with probability 2^-128.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_key(purpose: str, *numbers: int) -> int:
    """The 128-bit key of the stream named by its purpose, a seed, and what else tells it apart."""
    name = "/".join((purpose, *(str(int(number)) for number in numbers)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")


def generator(purpose: str, *numbers: int) -> np.random.Generator:
    """A fresh generator at the beginning of the stream that its arguments name."""
    return np.random.Generator(np.random.Philox(key=stream_key(purpose, *numbers)))


def torch_seed(purpose: str, *numbers: int) -> int:
    """A 63-bit seed for torch.manual_seed, for what only torch can draw: initial weights."""
    return stream_key(purpose, *numbers) & (2**63 - 1)

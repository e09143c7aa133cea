"""Arithmetic in full float32, whatever the process has set for training or sampling.

TensorFloat-32 keeps 10 bits of a product's 23: fine for a network that is trained with it, not for
features that are compared with another machine's, nor for distances with a bound on their rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_float32() -> Iterator[None]:
    """Matrix products and convolutions on a GPU in float32 proper; the settings come back after."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before

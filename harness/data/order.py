"""The order of training: which images step n reads, as a function of (seed, n) alone.

Training reads a stream of positions 0, 1, 2, ...; step n of batch size B reads positions nB to
(n + 1)B - 1. Position p is image permutation(seed, epoch)[p mod size] of epoch p // size. So a
batch may straddle two epochs, no image is dropped, resuming at step n needs no state, and any split
of the same global batch over devices and accumulation (contiguous slices) reads the same images.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from harness.data.randomness import generator
from harness.errors import BadInput


@lru_cache(maxsize=4)  # a batch touches at most two epochs unless the data set is tiny
def permutation(seed: int, epoch: int, dataset_size: int) -> np.ndarray:
    """The order of one epoch: (dataset_size,) int64, read-only."""
    order = generator("order", seed, epoch).permutation(dataset_size)
    order.flags.writeable = False
    return order


def batch_indices(seed: int, step: int, batch_size: int, dataset_size: int) -> np.ndarray:
    """The images of the global batch of training step `step` (from 0): (batch_size,) int64.

    Rank r of R takes the r-th contiguous slice of batch_size / R.
    Raises BadInput if the data set is empty or an argument is negative.
    """
    if dataset_size < 1 or batch_size < 1 or step < 0:
        raise BadInput(
            f"no batch to read: step {step}, batch size {batch_size}, {dataset_size} images; "
            "the step must be at least 0 and the other two at least 1"
        )
    start = step * batch_size
    epoch, offset = divmod(start, dataset_size)
    if offset + batch_size <= dataset_size:  # nearly always
        return permutation(seed, epoch, dataset_size)[offset : offset + batch_size].copy()
    pieces = []
    left = batch_size
    while left:
        piece = permutation(seed, epoch, dataset_size)[offset : offset + left]
        pieces.append(piece)
        left -= len(piece)
        epoch, offset = epoch + 1, 0
    return np.concatenate(pieces)

"""Inception Score (Salimans et al. 2016), as ADM's evaluator computes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.moments import checked

_ROWS = 64  # of 1008 float32 probabilities: 256 KB, which the cache holds


@dataclass(frozen=True)
class InceptionScore:
    """Mean over chunks, standard deviation over chunks (None with one chunk), and their number."""

    value: float
    std: float | None
    chunks: int
    used: int  # samples that went into a chunk


def inception_score(
    probabilities: ArrayLike, split_size: int = 5000, short_last_chunk: str = "refuse"
) -> float:
    """Inception Score of class probabilities (N, K), in file order, in chunks of `split_size`.

    exp(mean over a chunk of KL(p(y|x) || p(y))), averaged over the chunks.
    `short_last_chunk`: what to do when `split_size` does not divide N: "refuse" (a chunk of a few
    samples has a score near 1 and drags the mean: 5000 samples 2.99, 5001 samples 1.99), "drop"
    it, or "keep" it as ADM's evaluator does.

    Raises BadInput: a short last chunk unless dropped or kept, rows that do not sum to 1, NaN.
    """
    return inception_score_chunks(probabilities, split_size, short_last_chunk).value


def inception_score_chunks(
    probabilities: ArrayLike, split_size: int = 5000, short_last_chunk: str = "refuse"
) -> InceptionScore:
    """Like `inception_score`, with the standard deviation over the chunks."""
    rows = checked(probabilities, "class probabilities")
    if split_size < 1:
        raise BadInput(f"split_size must be at least 1, got {split_size}")
    if short_last_chunk not in ("refuse", "drop", "keep"):
        raise BadInput(f"short_last_chunk is refuse, drop or keep, got {short_last_chunk!r}")
    if not len(rows):
        raise BadInput("an Inception Score needs at least one sample")
    short = len(rows) % split_size
    if short and short_last_chunk == "refuse":
        raise BadInput(
            f"{len(rows)} samples in chunks of {split_size} leave a last chunk of {short}, which "
            "would distort the Inception Score: choose a split size that divides the number of "
            "samples, or ask to drop or keep the short chunk"
        )
    if short_last_chunk == "drop":
        if len(rows) < split_size:
            raise BadInput(f"{len(rows)} samples do not fill one chunk of {split_size}")
        rows = rows[: len(rows) - short]
    scores = [
        _chunk_score(rows[start : start + split_size]) for start in range(0, len(rows), split_size)
    ]
    std = float(np.std(scores)) if len(scores) > 1 else None
    return InceptionScore(float(np.mean(scores)), std, len(scores), len(rows))


def _chunk_score(probabilities: NDArray[np.floating]) -> float:
    # mean KL = H(mean p) - mean H(p), which needs one logarithm per entry and one pass. Terms are
    # in the probabilities' own type, sums over rows in float64; blocks stay in the cache.
    n, classes = probabilities.shape
    tiny, ones = np.finfo(probabilities.dtype).tiny, np.ones(classes, dtype=probabilities.dtype)
    total = np.zeros(classes)
    negative_entropy = 0.0
    logarithms = np.empty((min(n, _ROWS), classes), dtype=probabilities.dtype)
    for start in range(0, n, _ROWS):
        p = probabilities[start : start + _ROWS]
        smallest = p.min()
        if smallest < 0 or np.abs(p @ ones - 1).max() > 1e-3:
            raise BadInput(
                "class probabilities must not be negative and sum to 1 "
                "(are these logits? apply a softmax)"
            )
        total += np.ones(len(p), dtype=p.dtype) @ p
        logarithm = logarithms[: len(p)]
        np.log(p if smallest > 0 else np.maximum(p, tiny), out=logarithm)  # 0 log 0 = 0
        negative_entropy += float(np.einsum("nk,nk->n", p, logarithm).sum(dtype=np.float64))
    marginal = total / n
    entropy = -float(marginal @ np.log(np.maximum(marginal, np.finfo(np.float64).tiny)))
    return float(np.exp(entropy + negative_entropy / n))

"""Inception Score (Salimans et al. 2016), as ADM's evaluator computes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.chunks import count_used
from harness.metrics.moments import checked

_ROWS = 128  # of 1008 float32 numbers: half a megabyte, which the cache holds


@dataclass(frozen=True)
class InceptionScore:
    """Mean over chunks, standard deviation over chunks (None with one chunk), and their number."""

    value: float
    std: float | None
    chunks: int
    used: int  # samples that went into a chunk
    values: tuple[float, ...] = ()  # of the chunks


def inception_score(
    probabilities: ArrayLike,
    split_size: int = 5000,
    short_last_chunk: str = "refuse",
    *,
    logits: bool = False,
) -> float:
    """Inception Score of class probabilities (N, K), in file order, in chunks of `split_size`.

    exp(mean over a chunk of KL(p(y|x) || p(y))), averaged over the chunks.
    `short_last_chunk`: what to do when `split_size` does not divide N: "refuse" (a chunk of a few
    samples has a score near 1 and drags the mean: 5000 samples 2.99, 5001 samples 1.99), "drop"
    it, or "keep" it as ADM's evaluator does. `logits`: the rows are logits, whose softmax counts.

    Raises BadInput: a short last chunk unless dropped or kept, rows that do not sum to 1, NaN.
    """
    return inception_score_chunks(probabilities, split_size, short_last_chunk, logits=logits).value


def inception_score_chunks(
    probabilities: ArrayLike,
    split_size: int = 5000,
    short_last_chunk: str = "refuse",
    *,
    logits: bool = False,
) -> InceptionScore:
    """Like `inception_score`, with the standard deviation over the chunks."""
    rows = checked(probabilities, "logits" if logits else "class probabilities")
    if not len(rows) or not rows.shape[1]:
        raise BadInput(f"an Inception Score needs at least one sample, got shape {rows.shape}")
    rows = rows[: count_used(len(rows), split_size, short_last_chunk)]
    scores = [
        _chunk_score(rows[start : start + split_size], logits)
        for start in range(0, len(rows), split_size)
    ]
    std = float(np.std(scores)) if len(scores) > 1 else None
    return InceptionScore(float(np.mean(scores)), std, len(scores), len(rows), tuple(scores))


def _chunk_score(rows: NDArray[np.floating], logits: bool) -> float:
    # mean KL = H(mean p) - mean H(p): one logarithm or exponential per entry and one pass, in
    # blocks that stay in the cache. Terms are in the rows' own precision, sums over rows in
    # float64.
    n, classes = rows.shape
    dtype = np.dtype(np.float32 if rows.dtype.itemsize <= 4 else np.float64)
    ones, total, negative_entropy = np.ones(classes, dtype), np.zeros(classes), 0.0
    buffers = np.empty((2, min(n, _ROWS), classes), dtype)
    terms_of = _logit_terms if logits else _probability_terms
    for start in range(0, n, _ROWS):
        block = rows[start : start + _ROWS].astype(dtype, copy=False)
        weights, weighted, terms = terms_of(block, ones, buffers[:, : len(block)])
        total += weights @ weighted
        negative_entropy += float(terms.sum(dtype=np.float64))
    marginal = total / n
    seen = marginal[marginal > 0]  # 0 log 0 = 0
    # Equal rows have equal entropies: rounding must not bring a score below its least, 1.
    return float(np.exp(max(0.0, negative_entropy / n - seen @ np.log(seen))))


_Terms = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]


def _probability_terms(
    p: NDArray[np.floating], ones: NDArray[np.floating], buffers: NDArray[np.floating]
) -> _Terms:
    """Weights (n,) and rows (n, K) whose product is the sum of p, and sum p log p of each row."""
    import torch

    logarithm = buffers[0]
    logarithm[:] = p
    torch.from_numpy(logarithm).log_()  # in half the time of NumPy's
    terms = np.einsum("nk,nk->n", p, logarithm)
    if not np.isfinite(terms).all():  # a logarithm of 0, or of something negative
        logarithm[p == 0] = 0
        terms = np.einsum("nk,nk->n", p, logarithm)
    if np.abs(p @ ones - 1).max() > 1e-3 or np.isnan(terms).any():
        raise BadInput(
            "class probabilities must not be negative and sum to 1 "
            "(are these logits? apply a softmax)"
        )
    return ones[:1].repeat(len(p)), p, terms


def _logit_terms(
    z: NDArray[np.floating], ones: NDArray[np.floating], buffers: NDArray[np.floating]
) -> _Terms:
    """As above for p = exp(z) / S: sum p log p is sum exp(z) z / S - log S, without a log p."""
    import torch

    shifted, exponential = buffers
    np.subtract(z, z.max(axis=1, keepdims=True), out=shifted)
    exponential[:] = shifted
    torch.from_numpy(exponential).exp_()
    sums = exponential @ ones
    terms = np.einsum("nk,nk->n", exponential, shifted) / sums - np.log(sums)
    return 1 / sums, exponential, terms

"""How much each sample moves a value: what evaluations of the same draws have in common.

The noise and the label of sample i depend on (sampling seed, i) alone. So models that were sampled
with one seed err alike: where one had luck with its draws, the others had it too, and a difference
of two values is known far better than either. What each sample does to a value says by how much.

The influence of sample i is the slope of the value in the sample's weight (Hampel 1974). Its mean
over the samples is 0, and its deviation over the root of N is the value's standard error to first
order (the infinitesimal jackknife, Efron & Stein 1981). Kept are the means of `GROUPS` groups of
samples, i mod GROUPS: enough for the correlation of two values, and small enough for a record.
"""

from __future__ import annotations

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from harness.metrics.moments import Moments

GROUPS = 32
LEAST = 2 * GROUPS  # samples, below which groups say little
_RANK = 1e-10  # of the largest eigenvalue: directions in which the samples do not vary


def of_distance(features: ArrayLike, reference: Moments) -> NDArray[np.float64]:
    """Influences on the Fréchet distance of `features` (N, D) to `reference`, (N,), mean 0.

    With d^2 = |m - mu|^2 + tr S + tr R - 2 tr (R^(1/2) S R^(1/2))^(1/2), a change of the samples'
    mean and covariance changes it by 2 (m - mu) dm + tr dS - tr(T dS), where
    T = R^(1/2) (R^(1/2) S R^(1/2))^(-1/2) R^(1/2). Directions in which the samples do not vary are
    left out of the inverse: no weight of theirs changes that.
    """
    rows = np.asarray(features, np.float64)
    centred = rows - rows.mean(axis=0)
    freedom = max(1, len(rows) - 1)
    covariance = centred.T @ centred / freedom
    values, vectors = np.linalg.eigh(reference.covariance)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    values, vectors = np.linalg.eigh(root @ covariance @ root)
    varies = values > _RANK * max(float(values[-1]), np.finfo(float).tiny)
    kept = root @ vectors[:, varies]
    slope = -((kept / np.sqrt(values[varies])) @ kept.T)
    slope[np.diag_indices_from(slope)] += 1.0
    found = 2.0 * centred @ (rows.mean(axis=0) - reference.mean)
    found += ((centred @ slope) * centred).sum(axis=1) * (len(rows) / freedom)
    return np.asarray(found - found.mean())


def of_mean(values: ArrayLike) -> NDArray[np.float64]:
    """Influences on the mean of one number per sample, (N,)."""
    found = np.asarray(values, np.float64)
    return np.asarray(found - found.mean())


def of_class_score(probabilities: ArrayLike, split_size: int) -> NDArray[np.float64]:
    """Influences on the mean over chunks of exp(mean KL(p(y|x) || p(y))), (N, K) -> (N,).

    To first order the mean of a chunk's probabilities moves nothing: what it adds to one class it
    takes from the others.
    """
    rows = np.asarray(probabilities)
    found = np.empty(len(rows))
    for start in range(0, len(rows), split_size):
        chunk = rows[start : start + split_size].astype(np.float64)
        divergence = scipy.special.rel_entr(chunk, chunk.mean(axis=0)).sum(axis=1)
        mean = divergence.mean()
        found[start : start + len(chunk)] = np.exp(mean) * (divergence - mean)
    return found


def grouped(influences: ArrayLike) -> tuple[float, ...] | None:
    """The means of the groups i mod GROUPS; None of fewer than `LEAST` samples."""
    found = np.asarray(influences, np.float64)
    if len(found) < LEAST or not np.isfinite(found).all():
        return None
    return tuple(float(found[g::GROUPS].mean()) for g in range(GROUPS))

"""Frechet distance between two Gaussians, from their moments.

    d^2 = |mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))          (Heusel et al. 2017, eq. 6)

The trace of the root is the sum of the singular values of A1^T A2 for any factors S = A A^T. The
quick way to them: A1 a Cholesky factor L, and the roots of the eigenvalues of the symmetric
L^T S2 L. Squaring costs the small ones half of their digits, so its error is bounded, and where
it could matter (rank-deficient covariances, above all) the singular values are taken directly, with
an A of as many columns as the rank. Everything stays real and symmetric, so no imaginary part can
arise.

Measured over spectra (power laws, steps, spikes; 64 to 2,048 dimensions): up to a condition of 1e6
the quick way serves, within 3e-11 of the other where its bound says 2e-7; beyond, the other takes
three times as long.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.few import few
from harness.metrics.moments import Moments

_STRIP = 64
_EPS = float(np.finfo(np.float64).eps)
# What the eigenvalues' roots may be off by together, of the trace of the root: where some of them
# may be rounding alone, and where none is (the errors then nearly cancel; see above).
_ACCURACY, _ACCURACY_CLEAR = 1e-9, 2e-7
_CLEAR = 100  # times the noise
_SCALES = 1e-120, 1e120  # variances with products that neither underflow nor overflow


def frechet_distance(mu1: ArrayLike, sigma1: ArrayLike, mu2: ArrayLike, sigma2: ArrayLike) -> float:
    """Frechet distance of N(mu1, sigma1) and N(mu2, sigma2): (D,), (D, D), (D,), (D, D) -> float.

    float64 throughout; never NaN, never negative. FID is this on Inception-2015 pool features.
    Raises BadInput: shapes that do not fit, NaN, a covariance that is not symmetric or not
    positive semidefinite.
    """
    m1, s1 = checked_moments(mu1, sigma1, "first statistics")
    m2, s2 = checked_moments(mu2, sigma2, "second statistics")
    if len(m1) != len(m2):
        raise BadInput(
            f"statistics of {len(m1)} and of {len(m2)} dimensions cannot be compared: "
            "were they made with different extractors?"
        )
    difference = m1 - m2
    means = float(difference @ difference)
    traces = float(np.trace(s1) + np.trace(s2))
    # Rounding alone could leave -1e-13 for two equal sets; a distance is not negative.
    return max(0.0, means + (traces - 2.0 * _trace_of_root(s1, s2)))


def moments_distance(generated: Moments, reference: Moments, name: str | None = None) -> float:
    """frechet_distance of two Moments; warns when a set has no more samples than dimensions.

    name: of the metric, for the warning.
    """
    short = few(name, generated.count, reference.count, generated.dimensions)
    if short is not None:
        warnings.warn(short, stacklevel=2)
    return frechet_distance(
        generated.mean, generated.covariance, reference.mean, reference.covariance
    )


def checked_moments(
    mu: ArrayLike, sigma: ArrayLike, what: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A mean (D,) and a covariance (D, D) in float64; BadInput says what is wrong with `what`."""
    mean = np.atleast_1d(np.asarray(mu, dtype=np.float64))
    covariance = np.atleast_2d(np.asarray(sigma, dtype=np.float64))
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise BadInput(
            f"{what}: mean of shape {mean.shape} with covariance of shape "
            f"{covariance.shape}; expected (D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise BadInput(f"{what} hold NaN or infinity")
    scale = float(np.diag(covariance).max(initial=0.0))  # no entry of a covariance is larger
    for start in range(0, len(mean), _STRIP):  # strips stay in the cache, whole transposes do not
        strip = slice(start, start + _STRIP)
        asymmetry = np.abs(covariance[strip, start:] - covariance[start:, strip].T)
        if float(asymmetry.max()) > 1e-5 * scale:
            raise BadInput(f"{what}: the covariance is not symmetric")
    if float(np.diag(covariance).min(initial=0.0)) < -1e-8 * scale:
        raise BadInput(f"{what}: the covariance has a negative variance")
    return mean, covariance


def _trace_of_root(s1: NDArray[np.float64], s2: NDArray[np.float64]) -> float:
    # A constant feature has a zero row in its covariance and adds nothing to the product.
    live = (np.diag(s1) > 0) & (np.diag(s2) > 0)
    if not live.any():
        return 0.0
    if not live.all():
        s1, s2 = s1[np.ix_(live, live)], s2[np.ix_(live, live)]
    scales = [float(np.diag(s).max()) for s in (s1, s2)]
    if not all(_SCALES[0] < scale < _SCALES[1] for scale in scales):
        root = np.sqrt(scales[0]) * np.sqrt(scales[1])
        return float(root * _trace_of_root(s1 / scales[0], s2 / scales[1]))
    l1 = _cholesky(s1)
    if l1 is not None:
        # L^T S2 L by LAPACK's reduction of a generalised eigenproblem: a quarter of two products
        inner, info = scipy.linalg.lapack.dsygst(s2.T, l1, itype=2, lower=1)
        if info != 0:
            raise RuntimeError(f"dsygst: argument {-info} is wrong")
        eigenvalues = scipy.linalg.eigvalsh(
            inner, lower=True, overwrite_a=True, check_finite=False, driver="ev"
        )
        # An eigenvalue is off by a few eps of the largest, and its root by that over twice itself.
        noise = 4 * _EPS * eigenvalues[-1]
        roots = np.sqrt(np.maximum(eigenvalues, noise))
        accuracy = _ACCURACY_CLEAR if eigenvalues[0] > _CLEAR * noise else _ACCURACY
        if (noise / (2 * roots)).sum() <= accuracy * roots.sum():
            return float(roots.sum())
    l2 = _cholesky(s2)
    a1 = _factor(s1) if l1 is None else l1
    a2 = _factor(s2) if l2 is None else l2
    return float(scipy.linalg.svdvals(a1.T @ a2, check_finite=False).sum())


def _cholesky(s: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Lower Cholesky factor, or None when `s` is singular to working precision."""
    try:
        factor: NDArray[np.float64] = scipy.linalg.cholesky(
            s.T,
            lower=True,
            check_finite=False,  # Fortran order, which LAPACK need not copy
        )
    except scipy.linalg.LinAlgError:
        return None
    # Rounding alone can make the last pivots of a singular matrix positive. As dpstrf draws it:
    rounding = len(s) * _EPS * np.diag(s).max()
    return factor if (np.diag(factor) ** 2).min() > rounding else None


def _precision(s: NDArray[np.float64]) -> float:
    """The rounding of the numbers that `s` was stored as: of float32, where a file held these."""
    variances = np.diag(s)
    stored = variances.astype(np.float32)
    return float(np.finfo(np.float32).eps) if (stored == variances).all() else _EPS


def _factor(s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A (D, rank) with A A^T = s, by Cholesky with pivoting, which stops at the rank."""
    factor, pivots, rank, info = scipy.linalg.lapack.dpstrf(s, lower=1)
    if info < 0:
        raise RuntimeError(f"dpstrf: argument {-info} is wrong")
    root = np.empty((len(s), rank))
    root[pivots - 1] = np.tril(factor)[:, :rank]  # row i of the factor is row pivots[i] of s
    # What is left of a semidefinite matrix when no pivot is left is rounding.
    left = float(np.trace(s) - np.square(root).sum())
    if abs(left) > max(1e-6, len(s) * _precision(s)) * float(np.trace(s)):
        raise BadInput(
            f"a covariance is not positive semidefinite: of its trace {np.trace(s):.6g}, "
            f"{left:.3g} cannot be a variance"
        )
    return root

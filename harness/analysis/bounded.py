"""Thresholds of a likelihood ratio where another parameter may not fall below a bound.

A profile-likelihood interval holds the values whose ratio, twice the log likelihood lost against
the best fit, is below a threshold. Away from bounds the ratio is chi-square with one degree. Near
the bound of another parameter (E >= 0 of a scaling law) it is not: a fit that would go beyond the
bound stays on it, and the ratio is smaller on one side (Chernoff 1954; Self & Liang 1987).

Near the truth the models are a plane of normal errors, those within the bound a half of it, and
those of one value of the parameter a ray that ends on the bound. Then the ratio's distribution has
two parameters alone:

- slant: the sine of the angle between the ray and the bound, in (0, 1];
- distance: from the truth to the bound, in standard errors.

At a value of the parameter that is asked about, the fit under that value says both. The threshold
is that of this fit (hybrid resampling: Chuang & Lai 2000), not one for the worst case.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy

from harness.analysis.intervals import Array

FAR = 4.0  # standard errors: a bound so far away does nothing
SLANTS = np.append(np.geomspace(0.01, 0.8, 14), 1 - 1e-6)
DISTANCES = np.concatenate([[0.0], np.geomspace(1e-3, FAR, 36)])
NEAR = 1e-4  # beside distances on their log scale, which has no 0
ALONG = np.linspace(-6, 6, 241)  # normal errors, for integrals over them
HALVINGS = 16  # of the range in which a threshold is sought


def threshold_share(slant: Array, distance: Array, confidence: float) -> Array:
    """The threshold as a share of that far from the bound, of the same shape as both.

    Between 0.7 and 1.1 at 95 % confidence.
    """
    axes = np.log(SLANTS), np.log(DISTANCES + NEAR)
    place = scipy.interpolate.RegularGridInterpolator(axes, _table(confidence))
    across = np.log(np.clip(slant, SLANTS[0], SLANTS[-1]))
    return np.asarray(place((across, np.log(np.clip(distance, 0, FAR) + NEAR))))


@lru_cache(maxsize=8)
def _table(confidence: float) -> Array:
    """Shares at SLANTS and DISTANCES."""
    slant, distance = np.meshgrid(SLANTS, DISTANCES, indexing="ij")
    usual = scipy.stats.chi2.ppf(confidence, 1)
    low, high = np.zeros(slant.shape), np.full(slant.shape, 2 * usual)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        few = _held(slant, distance, middle) < confidence
        low, high = np.where(few, middle, low), np.where(few, high, middle)
    return np.asarray((low + high) / 2 / usual)


def _held(slant: Array, distance: Array, threshold: Array) -> Array:
    """The probability that the ratio is at most `threshold`; all of one shape.

    With errors x along the ray and y across it, from the truth, the best fit on the ray leaves
    y^2 + min(x + distance / slant, 0)^2. The bound is the line y cos = x slant + distance; a fit
    within it leaves nothing, and one beyond it the square of its distance from the line. So for
    each x the ratio is below the threshold between two y on either side of the line.
    """
    s, d, t = (v[..., None] for v in (slant, distance, threshold))
    cosine = np.sqrt(1 - s**2)
    room = t - np.minimum(ALONG + d / s, 0) ** 2  # what y may still use up
    gap = ALONG * s + d
    line = gap / cosine
    reach = np.sqrt(np.maximum(room, 0))
    within = _between(-reach, np.minimum(reach, line))
    # Beyond the line: y^2 - (y cos - gap)^2 = s^2 y^2 + 2 cos gap y - gap^2 <= room.
    root = np.sqrt(np.maximum((cosine * gap) ** 2 + s**2 * (gap**2 + room), 0))
    ends = [(-cosine * gap + sign * root) / s**2 for sign in (-1, 1)]
    beyond = _between(np.maximum(ends[0], line), ends[1])
    inside = np.where(room > 0, within, 0.0)
    density = scipy.stats.norm.pdf(ALONG) * (ALONG[1] - ALONG[0])
    return np.asarray(((inside + beyond) * density).sum(axis=-1))


def _between(low: Array, high: Array) -> Array:
    """The probability of a normal error between both; 0 where they are the wrong way around."""
    normal = scipy.special.ndtr
    return np.asarray(np.maximum(normal(high) - normal(low), 0.0))

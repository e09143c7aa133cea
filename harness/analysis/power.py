"""The smallest difference that a study's seeds and samples can show, before it is run."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.errors import BadInput


def smallest_difference(
    spread: float,
    replicates: int,
    *,
    models: int = 1,
    comparisons: int = 1,
    paired: bool = True,
    confidence: float = 0.95,
    power: float = 0.8,
) -> float:
    """The true difference that a two-sided test finds with probability `power`, in units of
    `spread`.

    `spread`: standard deviation of one training's value over seeds (and samples), or its share of
    the value; `replicates`: seeds of each training; `models`: over how many the difference is
    averaged; `comparisons`: tests that share the error (its first, hardest step in Holm).
    `paired`: seed for seed, the variance estimated from the differences within each model. Exact,
    from the noncentral t. With one replicate the spread must be known from elsewhere (recorded
    standard errors): the normal distribution then, and the difference is one of checkpoints.

    Raises BadInput: no replicate, a spread that is not positive.
    """
    if replicates < 1 or models < 1 or comparisons < 1 or not spread > 0:
        raise BadInput("the smallest difference needs a positive spread, seeds, models and tests")
    error = spread * math.sqrt(2 / (replicates * models))
    df = models * (replicates - 1) * (1 if paired else 2)
    upper = 1 - (1 - confidence) / comparisons / 2
    if df < 1:
        normal = NormalDist()
        return error * (normal.inv_cdf(upper) + normal.inv_cdf(power))
    threshold = _threshold(df, (1 - confidence) / comparisons / 2)
    if threshold > FINEST:
        from scipy import special

        return error * float(special.nctdtrinc(df, 1 - power, threshold))
    return error * _shift(df, threshold, power)


# --- Student's t, without scipy, whose import takes as long as all else that `plan` does ----------
#
# T = (Z + shift) / S with Z normal and S = sqrt(chi-squared / df). Given S all is the normal
# distribution's, and what is left is one integral over x = ln S. Its integrand is analytic and
# vanishes at both ends, so that the trapezoidal rule converges exponentially fast (Trefethen and
# Weideman 2014, SIAM Review 56).

FINEST = 300.0  # thresholds beyond would need tens of thousands of points


def _threshold(df: int, tail: float) -> float:
    """The t that a central T exceeds with probability `tail`, which is below one half."""
    points = _points(df, 0.1, 60)
    log = math.log(max(NormalDist().inv_cdf(1 - tail), 1e-3))
    for _ in range(100):  # Newton's steps in log t and log P, of which P is a power in the tail
        t = math.exp(log)
        over = sum([w * _above(t * s) for s, w in points])
        slope = sum([w * t * s * _density(t * s) for s, w in points])
        step = over * math.log(over / tail) / slope
        log += max(-1.0, min(1.0, step))
        if abs(step) < 1e-13:
            break
    return math.exp(log)


def _shift(df: int, threshold: float, power: float) -> float:
    """The shift with which T exceeds `threshold` with probability `power`."""
    step, shift = math.inf, threshold
    while step * shift > 0.8:  # the normal's width, seen in x, is 1 / shift
        step = 0.6 / shift
        shift = _shift_over(_points(df, step, 28), threshold, power)
    return shift


def _shift_over(points: list[tuple[float, float]], threshold: float, power: float) -> float:
    """`_shift`, over these points of the integral."""
    low, high = 0.0, 10 * threshold + 40
    shift = threshold
    for _ in range(200):  # Newton's steps, halved intervals where one leads out
        found = slope = 0.0
        for s, w in points:
            z = threshold * s - shift
            if z < 9.0:
                found += w * _above(z)
                slope += w * _density(z)
        low, high = (shift, high) if found < power else (low, shift)
        before, shift = shift, shift + (power - found) / slope if slope > 0 else math.inf
        if not low < shift < high:
            shift = (low + high) / 2
        if abs(shift - before) <= 1e-13 * shift:
            break
    return shift


def _points(df: int, step: float, depth: float) -> list[tuple[float, float]]:
    """Values of S and their weights in an integral over ln S, at most `step` apart.

    They begin where about e^-depth of S is below them.
    """
    step = min(step, 0.1, 0.25 / math.sqrt(df))
    x = -(depth / df + 9 / math.sqrt(2 * df))
    end = 0.5 * math.log(1 + 9 * math.sqrt(2 / df) + 80 / df)
    scale = math.log(2 * step) + df / 2 * math.log(df / 2) - math.lgamma(df / 2)
    number = math.ceil((end - x) / step)
    logs = [x + step * i for i in range(number + 1)]
    return [(math.exp(x), math.exp(scale + df * x - df / 2 * math.exp(2 * x))) for x in logs]


def _above(z: float) -> float:
    """The share of a normal distribution above z."""
    return 0.5 * math.erfc(z * math.sqrt(0.5))


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

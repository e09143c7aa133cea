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
    from scipy import special  # not scipy.stats: `plan` asks this, and starts within a second

    threshold = special.stdtrit(df, upper)  # of t
    return error * float(special.nctdtrinc(df, 1 - power, threshold))  # the shift that is found

"""The errors that metrics quote, on simulated features whose truth is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.components.metric import Metric, Value
from harness.metrics import Moments
from harness.metrics.class_score import ClassScore
from harness.metrics.features import Features
from harness.metrics.infinity_metric import FrechetInfinity
from harness.metrics.kid_metric import KID
from harness.metrics.reference import Reference
from harness.metrics.shared import Shared

D = 6
REFERENCE = Reference("checked", "0" * 64, Moments(0, np.zeros(D), np.eye(D)), None, None, 0, "0")


def of(metric: Metric, features: Features, reference: Reference, split_size: int) -> Value:
    return metric.measure(features, reference, Shared([metric], split_size=split_size))


def drawn(seed: int, count: int, shift: float = 0.3) -> Features:
    """Features about `shift` from the reference in each dimension, and probabilities."""
    random = np.random.default_rng(seed)
    logits = 2 * random.standard_normal((count, 5))
    weights = np.exp(logits)
    return Features(
        (random.standard_normal((count, D)) + shift).astype(np.float32),
        probabilities=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def summary(metric: Metric, sets: int, count: int, **how: Any) -> tuple[np.ndarray, float, float]:
    """Values of independent sets, the root mean square of some of their errors, and the degrees."""
    reference, split = how.pop("reference", REFERENCE), how.pop("split_size", count)
    found = [of(metric, drawn(s, count, **how), reference, split) for s in range(sets // 3)]
    errors = [f.std for f in found if f.std is not None]
    assert len(errors) == sets // 3 and found[0].std_df is not None
    values = np.array([f.value for f in found])
    with pytest.MonkeyPatch.context() as patch:  # of more sets, the values alone
        patch.setattr("harness.metrics.uncertainty.halves_of", lambda *_, **__: (None, None))
        more = [
            of(metric, drawn(s, count, **how), reference, split) for s in range(sets // 3, sets)
        ]
    values = np.append(values, [f.value for f in more])
    return values, float(np.sqrt(np.mean(np.square(errors)))), found[0].std_df


@pytest.mark.slow
def test_the_extrapolated_distances_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Student's t with the quoted degrees, over independent sets of samples.

    Issue: the error of the line was 3 to 6 times too small, and held it in a third of all sets.
    """
    metric, sets, count = FrechetInfinity(), 80, 300
    truth = D * 0.3**2  # equal covariances
    held = old = 0
    for seed in range(sets):
        found = of(metric, drawn(seed, count), REFERENCE, count)
        assert found.std is not None and found.std_df == 10
        held += abs(found.value - truth) < stats.t.ppf(0.975, found.std_df) * found.std
        line = stats.linregress(1 / np.array(found.details["sizes"]), found.details["distances"])
        old += abs(found.value - truth) < stats.t.ppf(0.975, 13) * line.intercept_stderr
    assert held / sets >= 0.88  # 0.95 is 0.95 +- 0.025 here
    assert old / sets < 0.7


@pytest.mark.slow
def test_the_extrapolated_distances_error_is_that_of_independent_sets() -> None:
    values, quoted, df = summary(FrechetInfinity(), 45, 300)
    assert quoted == pytest.approx(np.std(values, ddof=1), rel=0.3) and df == 10


@pytest.mark.slow
def test_the_kernel_distances_error_is_that_of_independent_sets() -> None:
    real = np.random.default_rng(99).standard_normal((300, D)).astype(np.float32)
    reference = Reference("checked", "0" * 64, Moments.of(real), None, real, 300, "0")
    metric = KID(subsets=4, subset_size=100)
    values, quoted, df = summary(metric, 60, 200, reference=reference)
    assert quoted == pytest.approx(np.std(values, ddof=1), rel=0.35) and df == 10


def test_the_class_scores_error_is_that_of_independent_sets() -> None:
    values, quoted, df = summary(ClassScore(), 60, 1000, split_size=100)
    assert quoted == pytest.approx(np.std(values, ddof=1), rel=0.3) and df == 9


def test_too_few_samples_for_halves_leave_the_value_without_an_error() -> None:
    found = of(FrechetInfinity(), drawn(0, 31), REFERENCE, 31)
    assert math.isfinite(found.value)
    assert (found.std, found.std_df, found.std_method) == (None, None, None)
    assert of(ClassScore(), drawn(0, 50), REFERENCE, 50).std is None


def test_what_they_say_of_their_errors() -> None:
    whole = of(FrechetInfinity(), drawn(0, 200), REFERENCE, 200)
    assert whole.std_method is not None and "10 pairs of halves" in whole.std_method
    score = of(ClassScore(), drawn(0, 200), REFERENCE, 50)
    assert score.std_method == "standard error of the mean over 4 chunks"

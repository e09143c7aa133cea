"""Influences of samples: slopes in their weights, and the standard errors that follow."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics import Reference, measure
from harness.metrics.features import Features
from harness.metrics.frechet import frechet_distance
from harness.metrics.influence import GROUPS, grouped, of_class_score, of_distance, of_mean
from harness.metrics.moments import Moments
from harness.metrics.scores import inception_score
from harness.metrics.uncertainty import over_halves

RNG = np.random.default_rng(0)
REFERENCE = Moments.of(RNG.normal(size=(4000, 6)))


def samples(count: int, shift: float = 0.4, scale: float = 1.3, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = np.eye(6) * scale + 0.2 * rng.normal(size=(6, 6))
    return np.asarray(rng.normal(size=(count, 6)) @ mix + shift)


def weighted(rows: np.ndarray, weights: np.ndarray) -> float:
    """The distance of a weighted set (weights of mean 1), with the factor of an unbiased set."""
    mean = weights @ rows / weights.sum()
    centred = rows - mean
    covariance = (centred * weights[:, None]).T @ centred / (len(rows) - 1)
    return frechet_distance(mean, covariance, REFERENCE.mean, REFERENCE.covariance)


# of 5 rows in 6 dimensions the covariance has no inverse
@pytest.mark.parametrize("count", [40, 5])
def test_an_influence_is_the_slope_in_a_samples_weight(count: int) -> None:
    rows, step = samples(count), 1e-5
    found = of_distance(rows, REFERENCE)
    slopes = []
    for i in range(count):
        ends = []
        for sign in (1, -1):
            weights = np.ones(count)
            weights[i] += sign * step
            ends.append(weighted(rows, weights * count / weights.sum()))
        slopes.append(count * (ends[0] - ends[1]) / (2 * step))
    assert found.mean() == pytest.approx(0, abs=1e-9)
    assert found == pytest.approx(np.array(slopes) - np.mean(slopes), rel=2e-3, abs=2e-3)


def test_their_deviation_is_the_standard_error_well_above_the_floor() -> None:
    rows = samples(400)
    linear = of_distance(rows, REFERENCE).std(ddof=1) / np.sqrt(len(rows))
    halves = over_halves(rows.astype(np.float32), REFERENCE, 60)
    assert 0.7 < linear / halves < 1.15
    groups = grouped(of_distance(rows, REFERENCE))
    assert groups is not None and len(groups) == GROUPS
    assert np.std(groups, ddof=1) / np.sqrt(GROUPS) == pytest.approx(linear, rel=0.4)


def test_the_class_scores_influences_are_its_slopes_and_tell_its_error() -> None:
    rng = np.random.default_rng(3)
    rows = rng.dirichlet(np.full(5, 0.3), size=200)
    rows[0] = np.eye(5)[0]  # a class that is sure: 0 log 0 is 0
    found, step = of_class_score(rows, 100), 1e-6

    def score(weights: np.ndarray) -> float:
        values = []
        for part in (slice(0, 100), slice(100, 200)):
            w = weights[part] / weights[part].sum()
            mean = w @ rows[part]
            terms = np.where(rows[part] > 0, rows[part] * np.log(rows[part] / mean + 1e-300), 0.0)
            values.append(np.exp(w @ terms.sum(axis=1)))
        return float(np.mean(values))

    for i in (0, 1, 150):
        weights = np.ones(200)
        weights[i] += step
        slope = 200 * (score(weights) - score(np.ones(200))) / step
        assert found[i] == pytest.approx(slope, rel=1e-3, abs=1e-3)
    ends = [inception_score(rng.dirichlet(np.full(5, 0.3), size=200), 100) for _ in range(300)]
    assert found.std() / np.sqrt(200) == pytest.approx(np.std(ends), rel=0.25)


def test_groups_are_of_every_32nd_sample_and_few_samples_have_none() -> None:
    values = np.zeros(640)
    values[3::GROUPS] = 1.0
    found = grouped(of_mean(values))
    assert found is not None
    assert found[3] == pytest.approx(1 - 1 / 32) and found[4] == pytest.approx(-1 / 32, rel=1e-4)
    assert sum(found) == pytest.approx(0, abs=1e-5)
    assert grouped(np.ones(63)) is None and grouped(np.full(640, np.nan)) is None


def test_metrics_of_samples_have_them_and_those_of_reference_images_have_not() -> None:
    rows = samples(128).astype(np.float32)
    real = RNG.normal(size=(200, 6)).astype(np.float32)
    reference = Reference(
        pool=Moments.of(real), spatial=None, features=real, images=200, extractor="random-conv",
        extractor_sha256="e", sha256="r", source="drawn",
    )  # fmt: skip
    chance = RNG.dirichlet(np.ones(4), size=128).astype(np.float32)
    found = {
        m.name.removesuffix("_random_conv"): m.influence
        for m in measure(
            Features(rows, None, chance),
            reference,
            metrics=["fd", "precision", "recall", "density", "coverage", "is"],
            subsets=4,
            split_size=64,
        )
    }
    assert {name for name, moves in found.items() if moves} == {"fd", "precision", "density", "is"}
    alone = measure(Features(rows, None, None), reference, metrics=["fd"])
    assert alone[0].influence is None, "without a standard error nothing is compared"

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.cmmd import CMMD
from harness.metrics.features import Features
from harness.metrics.moments import Moments
from harness.metrics.reference import Reference
from harness.metrics.shared import Shared
from harness.testing import check


def of(metric: CMMD, rows: np.ndarray, real: np.ndarray):
    real = real.astype(np.float32)
    reference = Reference("clip", "0" * 64, Moments.of(real), None, real, len(real), "0")
    return metric.measure(Features(rows.astype(np.float32)), reference, Shared([metric]))


@pytest.mark.slow
def test_it_keeps_the_laws_of_metrics() -> None:
    check("metric", "cmmd")
    check("metric", "cmmd", normalise=False, sigma=2.0)


def test_the_value_is_the_papers_formula_written_out() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 5)) + 1, random.normal(size=(40, 5))
    x, y = x.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))

    def mean(p: np.ndarray, q: np.ndarray) -> float:
        pairs = [np.exp(-((i - j) ** 2).sum() / (2 * 10.0**2)) for i in p for j in q]
        return float(np.mean(pairs))

    expected = 1000 * (mean(a, a) + mean(b, b) - 2 * mean(a, b))
    found = of(CMMD(), x, y)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert (found.details["sigma"], found.details["scale"]) == (10.0, 1000.0)


@pytest.mark.slow
def test_against_the_truth_of_two_gaussians() -> None:
    """E k(x, y) of N(m, I) and N(0, I): (s/(s+2))^(d/2) exp(-|m|^2 / (2 (s + 2))), s = sigma^2."""
    random = np.random.default_rng(1)
    d, s, m = 4, 2.0**2, 1.0
    x, y = random.normal(size=(3000, d)) + m / 2, random.normal(size=(3000, d))
    far = np.exp(-d * (m / 2) ** 2 / (2 * (s + 2)))
    expected = 1000 * 2 * (s / (s + 2)) ** (d / 2) * (1 - far)
    found = of(CMMD(sigma=2.0, normalise=False), x, y)
    assert found.std is not None and abs(found.value - expected) < 5 * found.std + 0.5

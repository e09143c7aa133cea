"""Precision, recall, density and coverage as metrics: definition, spread and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.components.metric import Metric
from harness.errors import BadInput
from harness.metrics.ball_metrics import Coverage, Density, Precision, Recall
from harness.metrics.features import Features
from harness.metrics.shared import Shared
from harness.testing.metric import features, reference_of

GENERATED, REAL = features(1, 0.7, 50), features(0, count=70)


def by_definition(k: int) -> dict[str, np.ndarray]:
    """One number per image of each metric, from all distances."""
    a, b = (f.pool.astype(np.float64) for f in (GENERATED, REAL) if f.pool is not None)

    def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x[:, None] - y[None], axis=2)

    def radii(x: np.ndarray) -> np.ndarray:
        return np.sort(distances(x, x), axis=1)[:, k]  # the first is the image itself

    across = distances(a, b)
    in_real, in_generated = across <= radii(b)[None], across <= radii(a)[:, None]
    return {
        "precision": in_real.any(axis=1),
        "recall": in_generated.any(axis=0),
        "density": in_real.sum(axis=1) / k,
        "coverage": in_real.any(axis=0),
    }


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("kind", [Precision, Recall, Density, Coverage])
def test_values_and_spreads_are_those_of_the_definition(kind: type[Metric], k: int) -> None:
    metric = kind(k=k) if issubclass(kind, Density) else kind()
    found = metric.measure(GENERATED, reference_of(REAL), Shared([metric], k=k))
    each = by_definition(k)[metric.name]
    assert found.value == pytest.approx(float(each.mean()))
    assert found.std == pytest.approx(float(np.std(each, ddof=1)) / math.sqrt(len(each)), rel=1e-6)
    assert found.std_df == len(each) - 1 and found.details["k"] == k
    assert found.details["recall_images"] == 70 and "float" in found.details["distance_dtype"]


def test_each_says_which_balls_it_reads() -> None:
    """k of the evaluation is precision's and recall's; density and coverage have their own."""
    assert Precision().balls(7) == Recall().balls(7) == {"inside": 7}
    assert Density().balls(7) == Coverage().balls(7) == {"density": 5}
    assert Coverage(k=2).balls(7) == {"density": 2}


def test_the_papers_k_adds_nothing_to_a_key() -> None:
    assert Density().keyed() == Coverage(k=5).keyed() == {}
    assert Density(k=3).keyed() == {"k": 3}


@pytest.mark.parametrize(("metric", "k"), [(Precision(), 3), (Recall(), 3), (Density(k=6), 6)])
def test_no_more_samples_than_neighbours_are_refused_before_any_work(
    metric: Metric, k: int
) -> None:
    shared = Shared([metric], k=3)
    metric.check(k + 1, ("pool",), 64, shared)
    with pytest.raises(BadInput, match=f"with k {k} needs more than {k} samples"):
        metric.check(k, ("pool",), 64, shared)
    with pytest.raises(BadInput, match="is computed from pooled features"):
        metric.check(100, ("spatial",), 64, shared)


def test_copies_of_the_reference_are_precise_and_cover_it() -> None:
    shared = Shared([Precision(), Recall(), Density(), Coverage()])
    reference = reference_of(REAL)
    assert REAL.pool is not None
    copies = Features(REAL.pool.copy())
    values = {m.name: m.measure(copies, reference, shared).value for m in shared.metrics}
    assert values["precision"] == values["recall"] == values["coverage"] == 1.0
    assert values["density"] >= 1.0

"""Nearest neighbours are found once for all metrics of an evaluation, and never mixed up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.components.metric import Absent
from harness.metrics import neighbours
from harness.metrics.ball_metrics import Coverage, Density, Precision, Recall
from harness.metrics.features import Features
from harness.metrics.shared import Shared
from harness.testing.metric import features, reference_of

GENERATED, REAL = features(1, 0.5, 60), features(0, count=80)
REFERENCE = reference_of(REAL)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int | None, int | None]]:
    """What every pass over the distances was asked for: (k, k_density)."""
    asked = []
    real = neighbours.manifold

    def counted(*args, k, k_density, device):
        asked.append((k, k_density))
        return real(*args, k=k, k_density=k_density, device=device)

    monkeypatch.setattr(neighbours, "manifold", counted)
    return asked


def test_metrics_that_agree_share_one_pass(passes) -> None:
    metrics = [Precision(), Recall(), Density(k=4), Coverage(k=4)]
    shared = Shared(metrics, k=3)
    for metric in metrics:
        metric.measure(GENERATED, REFERENCE, shared)
    assert passes == [(3, 4)]
    assert shared.manifold(GENERATED, REFERENCE) is shared.manifold(
        GENERATED, REFERENCE, metrics[0]
    )


@pytest.mark.parametrize("order", [1, -1])
def test_density_and_coverage_of_different_k_have_each_their_own(passes, order: int) -> None:
    """Density's balls were once those of coverage's k: twice as many hits over its own k."""
    metrics = [Precision(), Density(k=5), Coverage(k=10)][::order]
    shared = Shared(metrics, k=3)
    found = {m.name: m.measure(GENERATED, REFERENCE, shared) for m in metrics}
    assert REAL.pool is not None and GENERATED.pool is not None
    density, _ = neighbours.density_coverage(GENERATED.pool, REAL.pool, k=5)
    _, coverage = neighbours.density_coverage(GENERATED.pool, REAL.pool, k=10)
    assert (found["density"].value, found["coverage"].value) == (density, coverage)
    assert (found["density"].details["k"], found["coverage"].details["k"]) == (5, 10)
    assert sorted(passes[:2]) == [(3, 5), (3, 10)]
    with pytest.raises(Absent, match="say which metric asks"):
        shared.manifold(GENERATED, REFERENCE)


def test_other_images_are_never_answered_for_by_those_before() -> None:
    shared = Shared([Precision()])
    first = Precision().measure(GENERATED, REFERENCE, shared)
    far = features(2, 50.0, 60)
    assert Precision().measure(far, REFERENCE, shared).value == 0 < first.value
    assert Precision().measure(GENERATED, REFERENCE, shared).value == first.value
    assert Precision().measure(GENERATED, reference_of(far), shared).value == 0


def test_what_has_no_single_images_or_too_few_is_absent_with_the_reason() -> None:
    shared = Shared([Precision()], k=3)
    streamed = Features(None, pool_moments=GENERATED.moments("pool"))
    with pytest.raises(Absent, match="only their moments"):
        shared.manifold(streamed, REFERENCE)
    with pytest.raises(Absent, match="statistics only"):
        shared.manifold(GENERATED, replace(REFERENCE, features=None))
    with pytest.raises(Absent, match="k=3 neighbours need at least 4 generated images"):
        shared.manifold(GENERATED[:3], REFERENCE)

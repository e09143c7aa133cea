"""The Fréchet distance as a metric: which features, which name, which spread, and why it lacks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from harness.components.metric import Absent
from harness.errors import BadInput
from harness.metrics.features import Features
from harness.metrics.frechet import frechet_distance
from harness.metrics.frechet_metric import FrechetDistance, SpatialFrechetDistance
from harness.metrics.shared import Shared
from harness.testing.metric import features, reference_of

GENERATED, REAL = features(1, 0.4, 200), features(0, count=300)
REFERENCE = reference_of(REAL)
BOTH = [(FrechetDistance(), "pool"), (SpatialFrechetDistance(), "spatial")]


def truth(ours: np.ndarray, theirs: np.ndarray) -> float:
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    return frechet_distance(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))


@pytest.mark.parametrize(("metric", "part"), BOTH)
def test_each_is_of_its_own_features(metric: FrechetDistance, part: str) -> None:
    found = metric.measure(GENERATED, REFERENCE, Shared([metric]))
    assert found.value == pytest.approx(truth(getattr(GENERATED, part), getattr(REAL, part)))
    assert found.std is None and found.details == {"dimensions": 6}


@pytest.mark.parametrize(("metric", "part"), BOTH)
def test_streamed_moments_give_the_same_value_without_a_spread(
    metric: FrechetDistance, part: str
) -> None:
    streamed = Features(
        None,
        pool_moments=GENERATED.moments("pool"),
        spatial_moments=GENERATED.moments("spatial"),
    )
    whole = metric.measure(GENERATED, REFERENCE, Shared([metric]))
    found = metric.measure(streamed, REFERENCE, Shared([metric], subsets=4))
    assert found.value == whole.value and found.std is None


def test_the_spread_is_over_halves_and_the_seed_decides_which() -> None:
    def measure(seed: int):
        shared = Shared([FrechetDistance()], subsets=8, seed=seed)
        return FrechetDistance().measure(GENERATED, REFERENCE, shared)

    one, again, other = measure(0), measure(0), measure(1)
    assert one == again and one.value == other.value and one.std != other.std
    assert one.std is not None and 0 < one.std < one.value and one.std_df == 7
    assert one.details["subsets"] == 8 and "8" in str(one.std_method)


def test_only_on_inception_2015_are_they_fid_and_sfid() -> None:
    assert [m.recorded("inception-2015") for m, _ in BOTH] == ["fid", "sfid"]
    assert [m.recorded("clip") for m, _ in BOTH] == ["fd_clip", "sfd_clip"]


def test_what_is_absent_says_why() -> None:
    shared = Shared([])
    with pytest.raises(Absent, match="at least 2 samples"):
        FrechetDistance().measure(GENERATED[:1], REFERENCE, shared)
    with pytest.raises(Absent, match="no spatial statistics"):
        SpatialFrechetDistance().measure(GENERATED, replace(REFERENCE, spatial=None), shared)
    with pytest.raises(Absent, match="the samples have no spatial features"):
        SpatialFrechetDistance().measure(replace(GENERATED, spatial=None), REFERENCE, shared)
    fewer = replace(GENERATED, pool=np.ascontiguousarray(GENERATED.pool[:, :3]))  # type: ignore[index]
    with pytest.raises(Absent, match="dimension"):
        FrechetDistance().measure(fewer, REFERENCE, shared)


def test_what_can_be_known_beforehand_is_refused_or_remarked() -> None:
    shared = Shared([])
    with pytest.raises(BadInput, match="metric fd needs at least 2 samples"):
        FrechetDistance().check(1, ("pool",), 64, shared)
    with pytest.raises(BadInput, match="metric 'sfd' is computed from spatial features"):
        SpatialFrechetDistance().check(50, ("pool",), 64, shared)
    asked = []
    extractor = SimpleNamespace(width=lambda part, size: asked.append((part, size)) or 100)
    remark = SpatialFrechetDistance().remark("sfid", 100, None, extractor, 32)
    assert asked == [("spatial", 32)] and "sfid: 100 generated samples for 100" in str(remark)
    assert SpatialFrechetDistance().remark("sfid", 101, None, extractor, 32) is None

"""What metrics of single images share: two samples, features on both sides, of one extractor."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pytest

from harness.components.metric import Absent, Value
from harness.errors import BadInput
from harness.metrics.features import Features
from harness.metrics.reference import Reference
from harness.metrics.shared import Shared
from harness.metrics.single_images import OfSingleImages
from harness.testing.metric import features, reference_of


class Gap(OfSingleImages):
    """Distance of the means."""

    name = "gap"
    title = "gap"
    short_title = "Gap"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        ours, theirs = self.pools(generated, reference)
        return Value(float(np.abs(ours.mean(0) - theirs.mean(0)).max()))


GENERATED, REAL = features(1, count=10), features(0, count=12)


def test_both_sides_come_as_they_are() -> None:
    ours, theirs = Gap.pools(GENERATED, reference_of(REAL))
    assert ours is GENERATED.pool
    assert np.array_equal(theirs, REAL.pool)
    assert Gap().measure(GENERATED, reference_of(REAL), Shared([])).value > 0


def test_one_sample_is_refused_before_any_work() -> None:
    Gap().check(2, ("pool",), None, Shared([]))
    with pytest.raises(BadInput, match="metric gap needs at least 2 samples"):
        Gap().check(1, ("pool",), None, Shared([]))
    with pytest.raises(BadInput, match="is computed from pooled features"):
        Gap().check(2, ("spatial",), None, Shared([]))


def test_a_side_without_single_images_or_of_another_width_is_absent() -> None:
    reference = reference_of(REAL)
    streamed = Features(None, pool_moments=GENERATED.moments("pool"))
    for ours, theirs in ((streamed, reference), (GENERATED, replace(reference, features=None))):
        with pytest.raises(Absent, match="single images on both sides"):
            Gap.pools(ours, theirs)
    assert GENERATED.pool is not None
    with pytest.raises(Absent, match="features of other dimensions"):
        Gap.pools(Features(GENERATED.pool[:, :4].copy()), reference)

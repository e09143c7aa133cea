"""The extrapolated distance as a metric; its coverage is tested in test_standard_errors."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest

from harness.components.metric import Absent
from harness.errors import BadInput
from harness.metrics import extrapolation
from harness.metrics.features import Features
from harness.metrics.infinity_metric import LEAST, POINTS, FrechetInfinity
from harness.metrics.shared import Shared
from harness.testing.metric import features, reference_of

GENERATED, REFERENCE = features(1, 0.5, 240), reference_of(features(0))


def measure(generated: Features = GENERATED, seed: int = 0):
    return FrechetInfinity().measure(generated, REFERENCE, Shared([FrechetInfinity()], seed=seed))


def test_it_is_the_lines_intercept_and_keeps_the_line() -> None:
    found = measure()
    sizes, distances = (np.array(found.details[name]) for name in ("sizes", "distances"))
    slope_and_intercept = np.polyfit(1 / sizes, distances, 1)
    assert found.value == pytest.approx(slope_and_intercept[1])
    assert len(sizes) == POINTS and sizes.max() == 240 and found.details["seed"] == 0
    assert found.value < distances.min()  # a finite sample is biased upwards


@pytest.mark.slow
def test_the_seed_decides_the_subsets() -> None:
    assert measure().value == measure().value != measure(seed=1).value


def test_its_number_of_points_is_the_extrapolations() -> None:
    """Written twice, so that planning needs no NumPy."""
    points = inspect.signature(extrapolation.extrapolate).parameters["points"].default
    assert points == POINTS
    FrechetInfinity().check(LEAST, ("pool",), 64, Shared([]))
    with pytest.raises(BadInput, match=f"at least {LEAST} samples, not {LEAST - 1}"):
        FrechetInfinity().check(LEAST - 1, ("pool",), 64, Shared([]))


def test_what_passed_the_check_is_measured() -> None:
    assert np.isfinite(measure(GENERATED[:LEAST]).value)
    with pytest.raises(Absent, match="too few to extrapolate"):
        measure(GENERATED[:26])


def test_without_single_images_or_with_too_few_it_is_absent() -> None:
    with pytest.raises(Absent, match="only their moments"):
        measure(Features(None, pool_moments=GENERATED.moments("pool")))
    with pytest.raises(Absent):
        measure(GENERATED[:5])


@pytest.mark.slow
def test_probabilities_are_not_needed() -> None:
    assert measure(replace(GENERATED, probabilities=None, spatial=None)).value == measure().value

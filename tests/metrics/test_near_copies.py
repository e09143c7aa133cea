from __future__ import annotations

import numpy as np
import pytest

from harness.components.metric import Absent
from harness.metrics.features import Features
from harness.metrics.moments import Moments
from harness.metrics.near_copies import NearCopies, nearest
from harness.metrics.reference import Reference
from harness.metrics.shared import Shared
from harness.testing import check

D = 16


def drawn(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)


def measured(rows: np.ndarray, real: np.ndarray, metric: NearCopies | None = None):
    metric = metric or NearCopies()
    reference = Reference("x", "0" * 64, Moments.of(real), None, real, len(real), "0")
    return metric.measure(Features(rows), reference, Shared([metric]))


def test_it_keeps_the_laws_of_metrics() -> None:
    check("metric", "near_copies")
    check("metric", "near_copies", mirrored=True)


@pytest.mark.parametrize("expected", [0.01, 0.05])
def test_independent_real_images_have_the_share_that_is_stated(expected: float) -> None:
    shares = [
        measured(drawn(100 + s, 800), drawn(s, 800), NearCopies(expected=expected)).value
        for s in range(20)
    ]
    assert np.mean(shares) == pytest.approx(expected, rel=0.4)


def test_planted_copies_are_found_and_named() -> None:
    real, samples = drawn(0, 1000), drawn(1, 500)
    planted = np.array([3, 77, 200, 410])
    random = np.random.default_rng(2)
    samples[planted] = real[[10, 20, 30, 40]] + 0.02 * random.normal(size=(4, D))
    samples[300:350] = real[500:550] + 0.02 * random.normal(size=(50, D))
    found = measured(samples, real)
    assert found.value == pytest.approx(54 / 500, abs=0.02) and found.std is not None
    pairs = dict(
        zip(found.details["nearest_samples"], found.details["nearest_reference"], strict=True)
    )
    known = dict(zip(planted, (10, 20, 30, 40), strict=True)) | {
        300 + i: 500 + i for i in range(50)
    }
    assert len(pairs) == 20 and all(known[s] == r for s, r in pairs.items())


def test_training_images_are_what_copies_are_of_where_they_are_known() -> None:
    """A model that has learned its images by heart, and a reference that it has never seen."""
    training, held_out = drawn(0, 400), drawn(1, 400)
    samples = training[:200] + 0.01 * drawn(2, 200)
    reference = Reference("x", "0" * 64, Moments.of(held_out), None, held_out, 400, "0")
    metric = NearCopies()
    blind = metric.measure(Features(samples), reference, Shared([metric]))
    assert blind.value < 0.05 and blind.details["near_to"] == "reference"
    found = metric.measure(Features(samples), reference, Shared([metric], training=training))
    assert found.value == 1.0 and found.details["near_to_images"] == 400
    assert found.details["near_to"] == "training"
    assert found.details["nearest_training"] == found.details["nearest_samples"]
    few = Shared([metric], training=training[:20])
    with pytest.raises(Absent, match="20 training images are too few"):
        metric.measure(Features(samples), reference, few)


def mirror(rows: np.ndarray) -> np.ndarray:
    """Features of mirror images: the first half of the dimensions is of the left, the rest of the
    right."""
    return np.roll(rows, D // 2, axis=1)


def test_copies_of_mirror_images_are_found_where_they_are_asked_for() -> None:
    training = drawn(0, 400)
    samples = mirror(training)[:100] + 0.01 * drawn(2, 100)
    of = {}
    for metric in (NearCopies(), NearCopies(mirrored=True)):
        shared = Shared([metric], training=training, mirrored=mirror(training))
        reference = Reference("x", "0" * 64, Moments.of(training), None, training, 400, "0")
        of[metric.mirrored] = metric.measure(Features(samples), reference, shared)
    assert of[False].value < 0.1 and "nearest_is_mirrored" not in of[False].details
    found = of[True]
    assert found.value == 1.0 and found.details["near_to_images"] == 400
    assert found.details["nearest_training"] == found.details["nearest_samples"]
    assert found.details["nearest_is_mirrored"] == [True] * 20


def test_mirror_images_that_are_not_there_are_no_zero() -> None:
    training, metric = drawn(0, 400), NearCopies(mirrored=True)
    reference = Reference("x", "0" * 64, Moments.of(training), None, training, 400, "0")
    for shared in (Shared([metric]), Shared([metric], training=training)):
        near_to = "reference" if shared.training is None else "training"
        with pytest.raises(Absent, match=f"no features of the {near_to} images mirrored"):
            metric.measure(Features(drawn(1, 100)), reference, shared)


def test_independent_images_have_the_stated_share_of_copies_and_mirrored_ones() -> None:
    """An image's own mirror image is none of its neighbours: it would make near too near."""
    shares = []
    for seed in range(20):
        training, metric = drawn(seed, 800), NearCopies(mirrored=True, expected=0.05)
        training[:, D // 2 :] = training[:, : D // 2] + 1e-3 * drawn(50 + seed, 800)[:, : D // 2]
        rows = drawn(100 + seed, 800)
        rows[:, D // 2 :] = rows[:, : D // 2] + 1e-3 * drawn(150 + seed, 800)[:, : D // 2]
        shared = Shared([metric], training=training, mirrored=mirror(training))
        reference = Reference("x", "0" * 64, Moments.of(training), None, training, 800, "0")
        shares.append(metric.measure(Features(rows), reference, shared).value)
    assert np.mean(shares) == pytest.approx(0.05, rel=0.4)


def test_nearest_is_the_nearest() -> None:
    rows, others = drawn(0, 40) + 50, drawn(1, 60) + 50  # far from the origin
    every = np.linalg.norm(rows[:, None].astype(float) - others[None], axis=2)
    index, distance = nearest(rows, others)
    assert (index == every.argmin(1)).all() and distance == pytest.approx(every.min(1))
    index, distance = nearest(rows, rows, same=True)
    assert (index != np.arange(40)).all() and (distance > 0).all()
    twice, apart = nearest(rows, np.concatenate([rows, rows + 1e-3]), same=True)
    assert (twice % 40 != np.arange(40)).all() and apart == pytest.approx(distance, abs=0.02)


def test_too_few_reference_images_are_no_yardstick() -> None:
    with pytest.raises(Absent, match="too few to know how near is near"):
        measured(drawn(0, 20), drawn(1, 49))

"""The laws of metrics, on Gaussian features whose truth is known."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from harness.components.metric import Absent, Metric, Value
from harness.metrics.features import Features
from harness.metrics.reference import Reference
from harness.metrics.shared import Shared

DIMENSIONS, CLASSES, COUNT = 6, 5, 1200  # KID draws subsets of 1,000


def features(seed: int, shift: float = 0.0, count: int = COUNT) -> Features:
    """Features of `count` images; `shift`: how far, in deviations, they lie from the reference's.

    Probabilities go from certain and varied (0) to uniform (large shifts), as a classifier's do.
    """
    random = np.random.default_rng(seed)
    pool = random.standard_normal((count, DIMENSIONS)) + shift
    spatial = random.standard_normal((count, DIMENSIONS)) + shift
    logits = 6 * np.eye(CLASSES)[random.integers(0, CLASSES, count)] / (1 + shift)
    weights = np.exp(logits)
    return Features(
        pool.astype(np.float32),
        spatial.astype(np.float32),
        (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def reference_of(given: Features) -> Reference:
    """A reference of these features, under a made-up extractor."""
    return Reference.from_features(given, extractor="checked", extractor_sha256="0" * 64)


def shared_by(metric: Metric, count: int, reference: Reference) -> Shared:
    """The protocol for `count` samples, with features of mirror images for who looks at them."""
    mirrored = features(7, count=reference.images).pool if metric.looks_mirrored else None
    return Shared([metric], split_size=count, subsets=2, mirrored=mirrored)


def measured(metric: Metric, generated: Features, reference: Reference) -> Value:
    """The metric's value. Raises AssertionError where it is absent or not finite."""
    try:
        found = metric.measure(generated, reference, shared_by(metric, len(generated), reference))
    except Absent as reason:
        raise AssertionError(f"{COUNT} images of {DIMENSIONS} features: absent, {reason}") from None
    assert math.isfinite(found.value), f"the value is {found.value}"
    return found


def the_direction_is_true(metric: Metric) -> None:
    """Samples that are corrupted step by step get worse step by step.

    Of a metric of copying: samples that are copies, more and more, do.
    """
    if metric.copying:
        return copies_are_told(metric)
    reference = reference_of(features(0))
    values = [measured(metric, features(1, s), reference).value for s in (0.0, 1.0, 2.0, 4.0)]
    steps = [later - earlier for earlier, later in itertools.pairwise(values)]
    signs = steps if metric.better == "lower" else [-step for step in steps]
    assert all(s >= 0 for s in signs) and sum(signs) > 0, (
        f"features shifted by 0, 1, 2 and 4 deviations have {values}, and {metric.better} is better"
    )


def copies_are_told(metric: Metric) -> None:
    """A metric of copying gets worse with each share of samples that are copies."""
    known, fresh = features(0), features(1)
    values = []
    for share in (0.0, 0.1, 0.5, 1.0):
        copies = np.arange(COUNT) < share * COUNT
        rows = {
            part: np.where(copies[:, None], getattr(known, part), getattr(fresh, part))
            for part in ("pool", "spatial", "probabilities")
        }
        values.append(measured(metric, Features(**rows), reference_of(known)).value)
    rising = all(a < b for a, b in itertools.pairwise(values))
    falling = all(a > b for a, b in itertools.pairwise(values))
    assert rising if metric.better == "lower" else falling, (
        f"with 0, 10, 50 and 100 % of copies it has {values}, and {metric.better} is better"
    )


def a_set_against_itself_is_best(metric: Metric) -> None:
    """A set against itself has the best value; of a metric of copying, the worst."""
    same, reference = features(0), reference_of(features(0))
    itself = measured(metric, same, reference).value
    other = measured(metric, features(1, 0.5), reference).value
    low = metric.better == ("higher" if metric.copying else "lower")
    better = itself <= other if low else itself >= other
    assert better, f"a set against itself has {itself}, against another {other}"


def symmetric_as_declared(metric: Metric) -> None:
    """Samples and reference exchanged, the value is the same; of others it is not."""
    one, two = features(0), features(1, 0.7, COUNT + 200)
    there = measured(metric, one, reference_of(two)).value
    back = measured(metric, two, reference_of(one)).value
    same = math.isclose(there, back, rel_tol=1e-3, abs_tol=1e-6)
    assert same or not metric.symmetric, f"declared symmetric: {there} one way, {back} back"
    assert metric.symmetric or not same, (
        f"{there} one way and {back} back: declare symmetric = True, or it does not depend on both"
    )


def the_same_twice(metric: Metric) -> None:
    """The same features have the same value, bit for bit."""
    reference = reference_of(features(0))
    values = {measured(metric, features(1, 0.5), reference).value for _ in range(2)}
    assert len(values) == 1, f"the same features have the values {sorted(values)}"


def what_it_needs_it_needs(metric: Metric) -> None:
    """Without the features that it names it is absent; with more, it is the same number."""
    whole, reference = features(1, 0.5), reference_of(features(0))
    for part in metric.needs:
        less = replace(whole, **{part: None})
        try:
            found = metric.measure(less, reference, shared_by(metric, COUNT, reference))
        except Absent:
            continue
        raise AssertionError(f"without {part}, which it needs, it is {found.value}: raise Absent")
    kept: dict[str, Any] = {part: getattr(whole, part) for part in ("pool", *metric.needs)}
    assert (
        measured(metric, Features(**kept), reference).value
        == measured(metric, whole, reference).value
    ), "features that it does not name change its value"


def mirror_images_as_declared(metric: Metric) -> None:
    """One that looks at mirror images tells copies of them; of others they change no value."""
    if not metric.copying:
        assert not metric.looks_mirrored, "it looks at mirror images: declare copying = True"
        return
    training, mirrored, fresh = features(0), features(2), features(1)
    reference = reference_of(training)

    def value(generated: Features, seen: Features | None) -> float:
        shared = Shared([metric], split_size=COUNT, subsets=2, training=training.pool)
        shared.mirrored = None if seen is None else seen.pool
        return metric.measure(generated, reference, shared).value

    copies = value(mirrored, mirrored)
    if not metric.looks_mirrored:
        unseen = value(mirrored, None)
        assert copies == unseen, (
            f"with features of mirror images it has {copies}, without them {unseen}: it "
            "looks_mirrored, and says that it does not"
        )
        return
    others = value(fresh, mirrored)
    assert copies > others if metric.better == "lower" else copies < others, (
        f"copies of mirror images have {copies}, others {others}, and {metric.better} is better"
    )


LAWS = (
    the_direction_is_true,
    a_set_against_itself_is_best,
    symmetric_as_declared,
    the_same_twice,
    what_it_needs_it_needs,
    mirror_images_as_declared,
)

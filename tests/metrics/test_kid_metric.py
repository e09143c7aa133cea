"""The kernel distance as a metric; its kernel is tested in test_kernel, its error elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from harness.components.metric import Absent
from harness.errors import BadInput
from harness.metrics.features import Features
from harness.metrics.kid_metric import KID
from harness.metrics.shared import Shared
from harness.testing.metric import features, reference_of

GENERATED, REAL = features(1, 0.5, 60), features(0, count=70)
REFERENCE = reference_of(REAL)


def measure(metric: KID, generated: Features = GENERATED, seed: int = 0):
    return metric.measure(generated, REFERENCE, Shared([metric], seed=seed))


def test_one_subset_of_all_images_is_the_unbiased_definition() -> None:
    metric = KID(subsets=1, subset_size=60)
    shared = Shared([metric])
    reference = reference_of(REAL[:60])
    x, y = (f.pool.astype(np.float64) for f in (GENERATED, REAL[:60]) if f.pool is not None)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    n = 60
    within = sum((k.sum() - np.trace(k)) / (n * (n - 1)) for k in (kernel(x, x), kernel(y, y)))
    truth = within - 2 * kernel(x, y).mean()
    assert metric.measure(GENERATED, reference, shared).value == pytest.approx(truth, rel=1e-5)


def test_the_record_says_how_it_was_drawn() -> None:
    found = measure(KID(subsets=7, subset_size=20), seed=3)
    said = {"subsets": 7, "subset_size": 20, "recall_images": 70, "seed": 3}
    assert found.details == said
    assert found.value == measure(KID(subsets=7, subset_size=20), seed=3).value
    assert found.value != measure(KID(subsets=7, subset_size=20), seed=4).value


def test_halves_that_are_smaller_than_a_subset_still_give_an_error() -> None:
    found = measure(KID(subsets=5, subset_size=50))
    assert found.std is not None and found.std > 0 and found.std_method is not None


def test_subsets_that_no_study_can_have() -> None:
    for wrong in ({"subset_size": 1}, {"subsets": 0}, {"subset_size": 2.5}):
        with pytest.raises(ValidationError):
            KID.model_validate(wrong)
    said = r"subsets of 1,000 images of 999 samples: .*\{name: kid, subset_size: 999\}"
    with pytest.raises(BadInput, match=said):
        KID().check(999, ("pool",), 64, Shared([]))
    KID().check(1000, ("pool",), 64, Shared([]))
    KID(subset_size=999).check(999, ("pool",), 64, Shared([]))


def test_the_usual_subsets_add_nothing_to_a_key() -> None:
    assert KID(subsets=100, subset_size=1000).keyed() == {}
    assert KID(subsets=10).keyed() == {"subsets": 10}


def test_what_is_absent_says_why() -> None:
    with pytest.raises(Absent, match="single images on both sides"):
        measure(KID(), Features(None, pool_moments=GENERATED.moments("pool")))
    with pytest.raises(Absent, match="single images on both sides"):
        KID().measure(GENERATED, replace(REFERENCE, features=None), Shared([]))
    with pytest.raises(Absent, match="give subsets of 2 to 60 images"):
        measure(KID(subset_size=61))

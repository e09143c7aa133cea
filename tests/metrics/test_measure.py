from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import harness.metrics
from harness.errors import BadInput
from harness.metrics import Features, Metric, Reference, measure
from harness.metrics.kid_metric import KID
from harness.metrics.names import metric_names


def features(n: int, seed: int, shift: float = 0.0, d: int = 6) -> Features:
    rng = np.random.default_rng(seed)
    return Features(
        pool=rng.normal(shift, 1, (n, d)),
        spatial=rng.normal(shift, 1, (n, 4)),
        probabilities=rng.dirichlet(np.ones(5), n),
    )


METRICS = metric_names()


@pytest.fixture
def reference() -> Reference:
    return Reference.from_features(features(300, 0), extractor="tiny-cnn", extractor_sha256="a1")


def by_name(found: list[Metric]) -> dict[str, Metric]:
    return {m.name: m for m in found}


def test_every_metric_is_measured_and_says_what_made_it(reference):
    found = by_name(
        measure(
            features(200, 1, 0.2),
            reference,
            metrics=[KID(subsets=5, subset_size=100) if m == "kid" else m for m in METRICS],
            split_size=50,
            subsets=4,
            seed=3,
        )
    )
    assert list(found) == [f"{m}_tiny_cnn" for m in METRICS]
    for metric in found.values():
        assert np.isfinite(metric.value)
        assert metric.std is not None and metric.std > 0 and metric.details["std_method"]
        assert metric.details["extractor"] == "tiny-cnn"
        assert metric.details["extractor_sha256"] == "a1"
        assert metric.details["reference_sha256"] == reference.sha256
        assert metric.details["samples"] == 200
        assert metric.details["reference_images"] == 300
    assert found["is_tiny_cnn"].details["split_size"] == 50
    assert found["precision_tiny_cnn"].details["k"] == 3
    assert found["density_tiny_cnn"].details["k"] == 5
    assert found["recall_tiny_cnn"].details["distance_dtype"].startswith("float32")
    assert found["recall_tiny_cnn"].details["recall_images"] == 300
    assert found["fd_tiny_cnn"].details["seed"] == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        found["fd_tiny_cnn"].value = 0


def test_the_values_are_those_of_the_single_functions(reference):
    generated = features(200, 1, 0.2)
    found = by_name(measure(generated, reference, metrics=("precision", "recall", "density")))
    assert reference.features is not None
    pair = harness.metrics.precision_recall(generated.pool, reference.features)
    assert (found["precision_tiny_cnn"].value, found["recall_tiny_cnn"].value) == pair
    density, _ = harness.metrics.density_coverage(generated.pool, reference.features)
    assert found["density_tiny_cnn"].value == density


def test_what_cannot_be_computed_is_absent_and_says_why(reference):
    reasons: dict[str, str] = {}
    found = measure(
        Features(pool=features(200, 1).pool),
        dataclasses.replace(reference, features=None),
        metrics=tuple(METRICS),
        absent=reasons.__setitem__,
    )
    assert [m.name for m in found] == ["fd_tiny_cnn", "fd_infinity_tiny_cnn"]
    assert "no spatial features" in reasons["sfd_tiny_cnn"]
    assert "no class probabilities" in reasons["is_tiny_cnn"]
    assert "statistics only" in reasons["precision_tiny_cnn"]
    assert set(reasons) | {m.name for m in found} == {f"{m}_tiny_cnn" for m in METRICS}


def test_a_short_chunk_leaves_the_inception_score_out_with_a_warning(reference):
    with pytest.warns(UserWarning, match="is_tiny_cnn is not measured: 200 samples in chunks"):
        assert measure(features(200, 1), reference, metrics=("is",)) == []
    (kept,) = measure(
        features(200, 1), reference, metrics=("is",), split_size=150, short_last_chunk="keep"
    )
    assert kept.details["short_last_chunk"] == "keep"
    (dropped,) = measure(
        features(200, 1), reference, metrics=("is",), split_size=150, short_last_chunk="drop"
    )
    assert dropped.details["samples"] == 150 and dropped.std is None


def test_one_image_is_not_enough_for_anything(reference):
    reasons: dict[str, str] = {}
    one = features(300, 1)[:1]
    assert measure(one, reference, metrics=("fd", "precision"), absent=reasons.__setitem__) == []
    assert "at least 2 samples" in reasons["fd_tiny_cnn"]
    assert "at least 4 generated images" in reasons["precision_tiny_cnn"]


def test_more_shift_is_farther_and_the_same_images_are_at_zero(reference):
    values = [
        measure(features(300, 0, s), reference, metrics=("fd", "sfd")) for s in (0.0, 0.5, 1.0)
    ]
    for i in range(2):
        column = [v[i].value for v in values]
        assert column == sorted(column) and column[0] == pytest.approx(0, abs=1e-6)


def test_features_of_another_extractor_are_refused(reference):
    with pytest.raises(BadInput, match="7 pool features, the reference statistics 6"):
        measure(features(50, 0, d=7), reference)


def test_an_unknown_metric_is_refused_before_any_work(reference):
    with pytest.raises(BadInput, match=r"unknown metric fid .did you mean 'fd'\?.; there are: fd"):
        measure(features(50, 0), reference, metrics=("fid",))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(reference, seed):
    with pytest.raises(BadInput, match=r"must be in 0\.\.2\*\*32 - 1"):
        measure(features(50, 0), reference, seed=seed)


def test_the_function_is_not_hidden_by_its_module():
    import harness.metrics.evaluate
    import harness.metrics.measure

    assert callable(harness.metrics.measure) and callable(harness.metrics.evaluate)

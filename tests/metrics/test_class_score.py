"""The class score as a metric: names on Inception, chunks, and what it says when it cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.components.metric import Absent
from harness.errors import BadInput
from harness.metrics.class_score import ClassScore
from harness.metrics.features import Features
from harness.metrics.shared import Shared
from harness.testing.metric import features, reference_of

GENERATED, REFERENCE = features(1, count=60), reference_of(features(0, count=60))


def measure(generated: Features = GENERATED, **protocol):
    return ClassScore().measure(generated, REFERENCE, Shared([ClassScore()], **protocol))


def score(p: np.ndarray) -> float:
    """exp of the mean divergence of rows from their mean, from the definition."""
    p = p.astype(np.float64)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1).mean()))


def test_it_is_the_mean_over_chunks_with_their_spread() -> None:
    assert GENERATED.probabilities is not None
    parts = [score(part) for part in np.split(GENERATED.probabilities, 3)]
    found = measure(split_size=20)
    assert found.value == pytest.approx(np.mean(parts), rel=1e-6)
    assert found.std == pytest.approx(np.std(parts, ddof=1) / np.sqrt(3), rel=1e-5)
    assert found.std_df == 2 and "3 chunks" in str(found.std_method)
    said = {"split_size": 20, "chunks": 3, "short_last_chunk": "refuse", "samples": 60}
    assert found.details == said


def test_one_chunk_has_no_spread() -> None:
    found = measure(split_size=60)
    assert found.std is None and found.std_method is None and found.details["chunks"] == 1


def test_a_dropped_chunk_is_not_among_the_samples_that_are_told() -> None:
    assert measure(split_size=25, short_last_chunk="drop").details["samples"] == 50
    with pytest.raises(Absent, match="would distort the Inception Score"):
        measure(split_size=25)


def test_it_is_the_inception_score_on_inceptions_features_alone() -> None:
    assert ClassScore.recorded("inception-2015") == "inception_score"
    assert ClassScore.recorded("glyphs-cnn") == "is_glyphs_cnn"
    assert "nception" not in ClassScore.title + ClassScore.short_title


def test_without_probabilities_it_is_refused_early_and_absent_late() -> None:
    with pytest.raises(Absent, match="no class probabilities"):
        measure(replace(GENERATED, probabilities=None))
    shared = Shared([ClassScore()], split_size=20)
    with pytest.raises(BadInput, match="metric 'is' is computed from class probabilities"):
        ClassScore().check(60, ("pool",), 64, shared)
    with pytest.raises(BadInput, match="choose a split size that divides"):
        ClassScore().check(61, ("pool", "probabilities"), 64, shared)
    ClassScore().check(60, ("pool", "probabilities"), 64, shared)


def test_chunks_of_one_sample_are_refused() -> None:
    shared = Shared([ClassScore()], split_size=1)
    with pytest.raises(BadInput, match=r"split_size is 1: of chunks of one sample .* is 1"):
        ClassScore().check(60, ("probabilities",), None, shared)
    ClassScore().check(60, ("probabilities",), None, replace(shared, split_size=2))

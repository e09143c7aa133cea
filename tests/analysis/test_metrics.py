"""Metrics are called by their recorded names; only Inception features are FID."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis import metrics


def frame(*rows):
    return pd.DataFrame(rows, columns=["metric", "value"])


def test_fid_is_the_primary_metric_where_it_was_recorded():
    rows = frame(("fd_glyphs_cnn", 1.0), ("fd_glyphs_cnn", 2.0), ("fid", 3.0))
    assert metrics.primary_metric(rows) == "fid"


def test_without_fid_the_extractors_frechet_distance_is_primary():
    rows = frame(("recall_glyphs_cnn", 1.0), ("recall_glyphs_cnn", 1.0), ("fd_glyphs_cnn", 2.0))
    assert metrics.primary_metric(rows) == "fd_glyphs_cnn"


def test_nothing_measured_has_no_primary_metric():
    assert metrics.primary_metric(frame()) is None
    assert metrics.primary_metric(frame(("fid", None))) is None


@pytest.mark.parametrize(
    ("name", "kind", "title", "higher"),
    [
        ("fid", "fd", "FID", False),
        ("fd_glyphs_cnn", "fd", "Fréchet distance (glyphs-cnn features)", False),
        ("sfd_glyphs_cnn", "sfd", "spatial Fréchet distance (glyphs-cnn features)", False),
        ("inception_score", "is", "Inception Score", True),
        ("is_glyphs_cnn", "is", "class-score (glyphs-cnn features)", True),
        ("precision", "precision", "precision", True),
        ("recall_glyphs_cnn", "recall", "recall (glyphs-cnn features)", True),
        ("fd_infinity_glyphs_cnn", "fd_infinity", None, False),
        ("fid_infinity", "fd_infinity", "FID∞", False),
    ],
)
def test_a_recorded_name_tells_kind_title_and_direction(name, kind, title, higher):
    assert metrics.kind(name) == kind
    assert metrics.higher_is_better(name) is higher
    if title is not None:
        assert metrics.title(name) == title


def test_no_title_of_another_extractor_says_fid_or_inception():
    for stem in metrics.KINDS:
        words = metrics.title(f"{stem}_glyphs_cnn") + metrics.short_title(f"{stem}_glyphs_cnn")
        assert "FID" not in words and "Inception" not in words


def test_every_recorded_name_is_understood():
    """The names come from harness.metrics; both must agree on what they mean."""
    from harness.metrics import names

    for stem in names.metric_names():
        for extractor in ("inception-2015", "glyphs-cnn"):
            recorded = names.metric_name(stem, extractor)
            assert metrics.kind(recorded) == stem
            if extractor != "inception-2015":
                assert metrics.features(recorded) == extractor

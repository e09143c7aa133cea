"""Metrics are called by their recorded names; only Inception features are FID."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pandas as pd
import pytest

from harness.analysis import metrics
from harness.components import registry
from harness.components.metric import Metric, Value
from harness.errors import BadInput


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
        ("is_glyphs_cnn", "is", "class score (glyphs-cnn features)", True),
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
    for stem in metrics.known():
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


class Likeness(Metric):
    """The share of samples that one could take for real ones."""

    name = "likeness"
    title = "likeness to real images"
    short_title = "Like"
    better: ClassVar[Literal["lower", "higher"]] = "higher"
    on_inception: ClassVar[str | None] = "ilike"
    inception_title: ClassVar[str | None] = "Inception likeness"

    def measure(self, generated: Any, reference: Any, shared: Any) -> Value:
        return Value(0.0)


class Drift(Likeness):
    """A distance whose name begins as one of ours does."""

    name = "fd_drift"
    title = "drift"
    short_title = "Drift"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    on_inception: ClassVar[str | None] = None
    inception_title: ClassVar[str | None] = None


@pytest.fixture
def strangers() -> Iterator[None]:
    registry.add_file_entries([registry.entry_of(c, "file mine.py") for c in (Likeness, Drift)])
    yield
    registry.forget_files()


@pytest.mark.usefixtures("strangers")
def test_a_metric_that_somebody_brought_says_its_own_direction_and_titles():
    """Taken for a distance, the worst model would be called the best."""
    for recorded in (Likeness.recorded("random-filters"), Likeness.recorded("inception-2015")):
        assert metrics.kind(recorded) == "likeness" and metrics.higher_is_better(recorded)
    assert metrics.features("likeness_random_filters") == "random-filters"
    assert metrics.features("ilike") is None
    title = "likeness to real images (random-filters features)"
    assert metrics.title("likeness_random_filters") == title
    assert metrics.title("ilike") == metrics.short_title("ilike") == "Inception likeness"
    assert metrics.short_title("likeness_random_filters") == "Like"


@pytest.mark.usefixtures("strangers")
def test_the_longest_name_is_whose_it_is():
    recorded = Drift.recorded("glyphs-cnn")
    assert recorded == "fd_drift_glyphs_cnn" and metrics.kind(recorded) == "fd_drift"
    assert metrics.features(recorded) == "glyphs-cnn"
    assert metrics.kind("fd_glyphs_cnn") == "fd"
    assert metrics.title("fd_drift") == metrics.title("fd_drift_x").partition(" (")[0] == "drift"


def test_without_its_component_a_name_stays_a_name():
    assert metrics.kind("likeness_random_filters") == "likeness_random_filters"
    assert metrics.title("likeness_random_filters") == "likeness_random_filters"
    assert not metrics.direction_known("likeness_random_filters")
    assert metrics.features("likeness_random_filters") is None


def test_without_its_component_nothing_is_ranked():
    """Taken for a distance, the best model would be called the worst."""
    from harness.analysis import compute

    with pytest.raises(BadInput, match=r"'likeness_random_filters' is better is not known here"):
        metrics.higher_is_better("likeness_random_filters")
    curve = pd.DataFrame({"train_gflops": [1.0, 2.0], "value": [0.1, 0.9]})
    with pytest.raises(BadInput, match="nothing is ranked by it"):
        compute.frontier(curve, "likeness_random_filters")
    many = frame(*[("likeness_random_filters", 1.0)] * 3, ("recall_glyphs_cnn", 1.0))
    assert metrics.primary_metric(many) == "recall_glyphs_cnn"
    assert metrics.primary_metric(many.iloc[:3]) is None


@pytest.mark.parametrize("name", registry.names("metric"))
def test_titles_and_directions_are_those_of_the_components(name):
    cls = registry.get("metric", name)
    assert issubclass(cls, Metric)
    for extractor in ("inception-2015", "glyphs-cnn"):
        recorded = cls.recorded(extractor)
        assert metrics.higher_is_better(recorded) == (cls.better == "higher")
    assert metrics.short_title(f"{name}_glyphs_cnn") == cls.short_title
    assert metrics.title(f"{name}_glyphs_cnn") == f"{cls.title} (glyphs-cnn features)"

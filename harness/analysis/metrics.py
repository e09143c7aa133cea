"""The facts of a recorded metric: its component, its title for people, its better direction.

A metric is called by its recorded name, which its component gives it (`Metric.recorded`). Only
Inception-2015 features are FID, sFID or IS; the names of other extractors' metrics end in the
extractor (`fd_glyphs_cnn`), and so do their titles. Titles and directions stand in the components
alone, ours and anybody's. A metric whose component is not available has its recorded name for a
title, and whether more or less of it is better is not known: nothing is ranked by it.
"""

from __future__ import annotations

import pandas as pd

from harness.components import registry
from harness.components.metric import INCEPTION, Metric
from harness.errors import BadInput, HarnessError


def known() -> dict[str, type[Metric]]:
    """The metrics that can be loaded here, by name: ours, then what was brought."""
    found: dict[str, type[Metric]] = {}
    for entry in registry.entries("metric"):
        try:
            cls = entry.load()
        except HarnessError:  # said where a study asks for it; its numbers are read all the same
            continue
        assert issubclass(cls, Metric)
        found[entry.name] = cls
    return found


def kind(metric: str) -> str:
    """The name of the component behind a recorded name: "fid" and "fd_glyphs_cnn" are both "fd".

    A name that nobody here has is its own kind.
    """
    return _of(metric, known())


def _of(metric: str, components: dict[str, type[Metric]]) -> str:
    exact = [name for name, cls in components.items() if metric == cls.on_inception]
    fits = [name for name in components if metric == name or metric.startswith(f"{name}_")]
    return max(exact or fits, key=len, default=metric)


def component(metric: str) -> type[Metric] | None:
    """The component behind a recorded name; None: it is not available."""
    components = known()
    return components.get(_of(metric, components))


def features(metric: str) -> str | None:
    """The extractor in a recorded name, as it was written ("glyphs-cnn"); None for Inception."""
    cls = component(metric)
    if cls is None or not metric.startswith(f"{cls.name}_") or metric == cls.on_inception:
        return None
    return metric.removeprefix(f"{cls.name}_").replace("_", "-") or None


def title(metric: str) -> str:
    """For axes and text: "FID", or "Fréchet distance (glyphs-cnn features)"."""
    cls = component(metric)
    if cls is None:
        return metric
    if (extractor := features(metric)) is not None:
        return f"{cls.title} ({extractor} features)"
    return (cls.inception_title if metric == cls.recorded(INCEPTION) else None) or cls.title


def short_title(metric: str) -> str:
    """For table heads, where the extractor is named in the caption: "FID", or "FD"."""
    cls = component(metric)
    if cls is None:
        return metric
    short = None
    if metric == cls.recorded(INCEPTION):
        short = cls.inception_short_title or cls.inception_title
    return short or cls.short_title


def direction_known(metric: str) -> bool:
    """Is it known whether more or less of it is better?"""
    return component(metric) is not None


def higher_is_better(metric: str) -> bool:
    """Does a larger value mean better samples?

    Raises BadInput where its component is missing: a guess would call the worst model the best.
    """
    cls = component(metric)
    if cls is None:
        raise BadInput(
            f"whether more or less of {metric!r} is better is not known here, so nothing is ranked "
            "by it: the component that measured it is not available (list its file under "
            "`components:`, or install its package)"
        )
    return cls.better == "higher"


def primary_metric(metrics: pd.DataFrame) -> str | None:
    """The metric a study is judged by: `fid` if recorded, else the `fd_` of its extractor.

    Of several extractors' the one with the most values; where no Fréchet distance was recorded the
    most frequent metric. None where nothing was recorded whose direction is known.
    """
    rows = metrics[metrics["value"].notna()] if len(metrics) else metrics
    if not len(rows):
        return None
    counts = rows["metric"].value_counts()
    # Ties are broken by name, so that the choice does not depend on the order of the records.
    ordered = sorted(counts.index, key=lambda m: (-int(counts[m]), str(m)))
    ordered = [m for m in ordered if direction_known(str(m))]
    if "fid" in ordered:
        return "fid"
    distances = [m for m in ordered if kind(str(m)) == "fd"]
    return str(next(iter(distances or ordered), "")) or None

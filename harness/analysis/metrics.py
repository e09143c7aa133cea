"""What a recorded metric is: its kind, its title for people, and which direction is better.

A metric is called by its recorded name. Only Inception-2015 features are FID, sFID or IS; the
names of other extractors' metrics end in the extractor (`fd_glyphs_cnn`), and so do their titles.
A metric that somebody brought says its title and direction itself, where its component is at hand;
elsewhere it has its recorded name for a title, and less is taken for better.
"""

from __future__ import annotations

import pandas as pd

from harness.components import registry
from harness.components.metric import Metric
from harness.errors import HarnessError

INCEPTION = {"fid": "fd", "sfid": "sfd", "inception_score": "is", "fid_infinity": "fd_infinity"}
KINDS = (
    *("fd", "sfd", "is", "precision", "recall", "density", "coverage", "kid", "fd_infinity"),
    *("cmmd", "vendi", "near_copies"),
)
HIGHER = {"is", "precision", "recall", "density", "coverage", "vendi"}
TITLES = {
    "fd": "Fréchet distance",
    "sfd": "spatial Fréchet distance",
    "is": "class-score",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "kid": "kernel distance",
    "fd_infinity": "Fréchet distance, extrapolated",
    "cmmd": "Gaussian kernel distance",
    "vendi": "variety against real images (Vendi)",
    "near_copies": "near copies of real images",
}
SHORT = {
    "fd": "FD",
    "sfd": "sFD",
    "is": "Class score",
    "precision": "Prec.",
    "recall": "Rec.",
    "density": "Density",
    "coverage": "Coverage",
    "kid": "KD",
    "fd_infinity": "FD∞",
    "cmmd": "CMMD",
    "vendi": "Vendi",
    "near_copies": "Copies",
}
ON_INCEPTION = {
    "fid": "FID",
    "sfid": "sFID",
    "inception_score": "Inception Score",
    "kid": "KID",
    "fid_infinity": "FID∞",
}
ON_INCEPTION_SHORT = {**ON_INCEPTION, "inception_score": "IS"}


def kind(metric: str) -> str:
    """The kind behind a recorded name: "fid" and "fd_glyphs_cnn" are both "fd".

    Of a metric that somebody brought its component's name. A name that nobody has is its own kind.
    """
    if metric in INCEPTION:
        return INCEPTION[metric]
    theirs = brought()
    exact = [k for k, cls in theirs.items() if metric == cls.on_inception]
    fits = [k for k in (*KINDS, *theirs) if metric == k or metric.startswith(f"{k}_")]
    return max(exact or fits, key=len, default=metric)


def brought() -> dict[str, type[Metric]]:
    """The metrics that somebody brought and that can be loaded here, by their names."""
    found: dict[str, type[Metric]] = {}
    for entry in registry.entries("metric"):
        if entry.where == registry.BUILT_IN or entry.name in KINDS:
            continue
        try:
            cls = entry.load()
        except HarnessError:  # said where a study asks for it; its numbers are read all the same
            continue
        assert issubclass(cls, Metric)
        found[entry.name] = cls
    return found


def features(metric: str) -> str | None:
    """The extractor in a recorded name, as it was written ("glyphs-cnn"); None for Inception."""
    its_kind = kind(metric)
    if metric in INCEPTION or not metric.startswith(its_kind):  # a name on Inception's features
        return None
    suffix = metric.removeprefix(its_kind).lstrip("_")
    return suffix.replace("_", "-") if suffix else None


def title(metric: str) -> str:
    """For axes and text: "FID", or "Fréchet distance (glyphs-cnn features)"."""
    extractor, cls = features(metric), brought().get(kind(metric))
    if extractor is None:
        if cls is not None:
            return cls.inception_title or cls.title
        return ON_INCEPTION.get(metric, TITLES.get(metric, metric))
    return f"{cls.title if cls else TITLES[kind(metric)]} ({extractor} features)"


def short_title(metric: str) -> str:
    """For table heads, where the extractor is named in the caption: "FID", or "FD"."""
    cls = brought().get(kind(metric))
    if features(metric) is None:
        if cls is not None:
            return cls.inception_short_title or cls.inception_title or cls.short_title
        return ON_INCEPTION_SHORT.get(metric, SHORT.get(kind(metric), metric))
    return cls.short_title if cls else SHORT[kind(metric)]


def higher_is_better(metric: str) -> bool:
    """Whether a larger value means better samples."""
    its_kind = kind(metric)
    cls = None if its_kind in KINDS else brought().get(its_kind)
    return its_kind in HIGHER if cls is None else cls.better == "higher"


def primary_metric(metrics: pd.DataFrame) -> str | None:
    """The metric a study is judged by: `fid` if recorded, else the `fd_` of its extractor.

    Of several extractors' the one with the most values; None where no Fréchet distance was
    recorded and nothing else either, else the most frequent metric.
    """
    rows = metrics[metrics["value"].notna()] if len(metrics) else metrics
    if not len(rows):
        return None
    counts = rows["metric"].value_counts()
    # Ties are broken by name, so that the choice does not depend on the order of the records.
    ordered = sorted(counts.index, key=lambda m: (-int(counts[m]), str(m)))
    if "fid" in ordered:
        return "fid"
    distances = [m for m in ordered if kind(str(m)) == "fd"]
    return str((distances or ordered)[0])

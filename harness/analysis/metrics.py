"""What a recorded metric is: its kind, its title for people, and which direction is better.

A metric is called by its recorded name. Only Inception-2015 features are FID, sFID or IS; the
names of other extractors' metrics end in the extractor (`fd_glyphs_cnn`), and so do their titles.
"""

from __future__ import annotations

import pandas as pd

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

    A name that is none of ours is its own kind.
    """
    if metric in INCEPTION:
        return INCEPTION[metric]
    fits = [k for k in KINDS if metric == k or metric.startswith(f"{k}_")]
    return max(fits, key=len, default=metric)


def features(metric: str) -> str | None:
    """The extractor in a recorded name, as it was written ("glyphs-cnn"); None for Inception."""
    suffix = metric.removeprefix(kind(metric)).lstrip("_")
    return suffix.replace("_", "-") if suffix and metric not in INCEPTION else None


def title(metric: str) -> str:
    """For axes and text: "FID", or "Fréchet distance (glyphs-cnn features)"."""
    extractor = features(metric)
    if extractor is None:
        return ON_INCEPTION.get(metric, TITLES.get(metric, metric))
    return f"{TITLES[kind(metric)]} ({extractor} features)"


def short_title(metric: str) -> str:
    """For table heads, where the extractor is named in the caption: "FID", or "FD"."""
    if features(metric) is None:
        return ON_INCEPTION_SHORT.get(metric, SHORT.get(kind(metric), metric))
    return SHORT[kind(metric)]


def higher_is_better(metric: str) -> bool:
    """Whether a larger value means better samples."""
    return kind(metric) in HIGHER


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

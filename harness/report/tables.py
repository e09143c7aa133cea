"""What the tables of several sections share: which metrics, and how values differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from harness.analysis import metrics, selection
from harness.analysis.extractor_strength import weak_sentence
from harness.components.metric import INCEPTION
from harness.report import reconstructions, wording
from harness.report.blocks import Cell, Text, strong
from harness.report.findings import Findings, floor_of
from harness.report.prepared import prepared
from harness.report.wording import DASH, number

ARROW = {True: "↑", False: "↓"}

_PROTOCOL_WORDS = {  # said where they differ
    "guidance_scale": "guidance {}",
    "guidance_channels": "{} channels",
    "guidance_low": "from timestep {}",
    "guidance_high": "to {}",
    "sampler": "{}",
    "sampling_steps": "{} sampling steps",
    "samples": "{} samples",
    "eta": "eta {}",
    "clip": "clip {}",
    "sampling_precision": "{}",
    "labels": "labels as in the {}",
    "decoder": "decoder {}",
    "k": "k {}",
    "split_size": "chunks of {}",
}


def half(rows: Sequence[Sequence[str | Cell]], more: str = "") -> str:
    """For a caption: what ± is, where it stands in a cell. more: the rest of the sentence."""
    cells = (cell.text if isinstance(cell, Cell) else cell for row in rows for cell in row)
    return f"± is half a 95% interval{more}. " if any("±" in text for text in cells) else ""


def alike(found: Findings, metric: str) -> pd.DataFrame:
    """`metric` of the samples whose primary metric is compared, averaged over seeds."""
    if found.protocol is None or metric == found.metric:
        return found.final
    frame = found.report.frames["metrics"]
    rows = selection.of_the_same_samples(frame, metric, found.protocol, found.step)
    return prepared(rows, higher=metrics.higher_is_better(metric))


def floors(found: Findings, names: list[str]) -> list[Text]:
    """The floors by number of images, for captions of tables."""
    by_images: dict[int | None, list[str]] = {}
    for m in names:
        floor = floor_of(found.report.frames["metrics"], m, found.protocol and found.protocol.drawn)
        if floor is not None:
            told = f"{head(found, m)} {number(floor.value)}"
            by_images.setdefault(floor.images, []).append(told)
    said: list[Text] = [
        f"{'Real' if images is None else f'{images:,} real'} images: {', '.join(told)}. "
        for images, told in by_images.items()
    ]
    if decoded := reconstructions.sentence(found.report.frames["metrics"], names):
        said.append(decoded)
    weak = weak_sentence(found.report.frames["metrics"], found.metric)
    return [*said, strong(weak.strip()), " "] if weak else said


def class_scores(names: list[str]) -> str:
    """For captions: what a class score is, and its name in the records; "" where there is none."""
    own = [m for m in names if metrics.short_title(m) == "Class score"]
    if not own:
        return ""
    return (
        f"Class score ({', '.join(own)} in the records): the Inception Score's formula on these "
        "features' own classes. "
    )


def value_of(frame: pd.DataFrame, label: str) -> str:
    """A model's value in a table, with half its interval; a dash where it has none."""
    at = (frame["label"] == label).to_numpy(bool)
    if not at.any():
        return DASH
    return wording.cell(*(frame[c].iloc[int(at.argmax())] for c in ("value", "low", "high")))


def metrics_of(found: Findings) -> list[str]:
    """The recorded metrics of the primary metric's extractor, in the tables' order.

    Those that somebody brought stand behind ours.
    """
    rows = found.report.frames["metrics"]
    extractor = metrics.features(found.metric or "")
    order = list(metrics.known())
    names = [str(m) for m in rows["metric"].dropna().unique()]
    names = [m for m in names if metrics.features(m) == extractor and metrics.direction_known(m)]
    return sorted(names, key=lambda m: order.index(metrics.kind(m)))


def on_other_features(found: Findings) -> list[str]:
    """The primary metric of the compared samples on other extractors' features, as FD on DINOv2
    beside FID."""
    names = [str(m) for m in found.report.frames["metrics"]["metric"].dropna().unique()]
    if found.metric is None:
        return []
    ours, kind = metrics.features(found.metric), metrics.kind(found.metric)
    known = (m for m in names if metrics.direction_known(m) and metrics.kind(m) == kind)
    return sorted(m for m in known if metrics.features(m) != ours)


def head(found: Findings, metric: str) -> str:
    """The metric's name in a table of several: with its features where they are not the primary
    metric's, which the caption names."""
    features = metrics.features(metric)
    if features == metrics.features(found.metric or ""):
        return metrics.short_title(metric)
    return f"{metrics.short_title(metric)} ({features or INCEPTION})"


def differences(row: Mapping[Any, Any], among: pd.DataFrame, but: tuple[str, ...]) -> list[str]:
    """How `row` was measured, as far as the rows `among` which it stands were not measured so."""
    return [
        words.format(said(row[c]) if isinstance(row[c], float) else row[c])
        for c, words in _PROTOCOL_WORDS.items()
        if c not in but and among[c].nunique(dropna=False) > 1 and pd.notna(row[c])
    ]


def less(value: Any, low: Any, high: Any, published: Any) -> str:
    """Ours less a published number, with its sign; the interval is ours alone. A dash for none."""
    if published is None or value is None or pd.isna(value) or pd.isna(published):
        return DASH
    gap = [None if v is None else v - float(published) for v in (value, low, high)]
    text = wording.cell(*gap)
    return text if text.startswith("−") or text == DASH else f"+{text}"


def said(value: Any) -> str:
    """A value as text; whole numbers without the ".0" of a column that has nulls."""
    whole_float = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole_float else str(value)


def whole(value: Any) -> str:
    """A whole number with separators; a dash for none."""
    return DASH if value is None or pd.isna(value) else f"{int(value):,}"


def over(value: Any, scale: float) -> float | None:
    """A value divided by `scale`; None for none."""
    return None if value is None or pd.isna(value) else float(value) / scale

"""Choosing the rows that may be compared: of one protocol, at one step, of the most models.

How a value was measured is harness.analysis.protocol's, what a model is called
harness.analysis.labels', the mean over seeds harness.analysis.averaging's.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.averaging import averaged
from harness.analysis.finished import finished
from harness.analysis.labels import labelled, plain
from harness.analysis.protocol import PROTOCOL, Protocol
from harness.analysis.remembered import remembered


@remembered
def _of_samples(metrics: pd.DataFrame, lengths: bool) -> pd.DataFrame:
    """The rows of all metrics of generated samples, labelled among each other."""
    return labelled(metrics[metrics["of"].fillna("samples") == "samples"], lengths)


@remembered
def measured(metrics: pd.DataFrame, metric: str, lengths: bool = True) -> pd.DataFrame:
    """Values of `metric` for generated samples: labelled, finite, one protocol object per row.

    Only of models whose Gflops were counted: no model costs nothing, or less.
    """
    rows = _of_samples(metrics, lengths)
    rows = rows[rows["metric"] == metric]
    counted = (rows["gflops"] > 0).fillna(False).astype(bool)
    rows = rows[np.isfinite(rows["value"].astype(float)) & counted].copy()
    columns = [[plain(v) for v in rows[c]] for c in PROTOCOL]
    protocols: Any = [Protocol(*p) for p in zip(*columns, strict=True)]
    rows["protocol"] = pd.Series(protocols, index=rows.index, dtype=object)
    return rows


def final_protocol(metrics: pd.DataFrame, metric: str) -> tuple[Protocol, int | None] | None:
    """How and at which training step the models are compared: (protocol, step).

    Unguided where anything was measured unguided; then the one that covers the most models (so
    that a half-finished study is compared where its models can be), then the latest step, the
    most samples, the way that was also followed over training, the most sampling steps. The step
    is None for imported checkpoints of which it is not known.
    """
    return _widest(measured(metrics, metric))


def _widest(rows: pd.DataFrame) -> tuple[Protocol, int | None] | None:
    labels: dict[tuple[Protocol, int | None], set[str]] = {}
    steps = [plain(step) for step in rows["step"]]
    for protocol, step, label in zip(rows["protocol"], steps, rows["label"], strict=True):
        labels.setdefault((protocol, step), set()).add(label)
    followed = Counter(p for p, _ in labels)
    return max(
        labels,
        key=lambda c: (
            *(not c[0].guided, len(labels[c]), c[1] or 0, c[0].samples or 0),
            *(followed[c[0]], c[0].sampling_steps or 0, repr(c[0])),
        ),
        default=None,
    )


def _at(rows: pd.DataFrame, chosen: tuple[Protocol, int | None]) -> pd.DataFrame:
    steps = [plain(s) for s in rows["step"]]
    return where(rows, [(p, s) == chosen for p, s in zip(rows["protocol"], steps, strict=True)])


def where(rows: pd.DataFrame, kept: list[bool]) -> pd.DataFrame:
    """The rows for which `kept` says so."""
    return rows[np.array(kept, dtype=bool)]  # a list, where empty, would name no columns


def final_rows(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The measured rows behind `final_quality`, one per seed and sampling seed."""
    rows = measured(metrics, metric)
    chosen = _widest(rows)
    return rows if chosen is None else _at(rows, chosen)


@remembered
def of_the_same_samples(
    metrics: pd.DataFrame, metric: str, protocol: Protocol, step: int | None
) -> pd.DataFrame:
    """Quality by another `metric` of samples that were drawn as `protocol` says, at `step`.

    Columns as `final_quality`. Of several ways to measure it (neighbours k, chunk sizes) the one
    that covers the most models.
    """
    rows = measured(metrics, metric)
    rows = where(rows, [p.drawn == protocol.drawn for p in rows["protocol"]])
    rows = where(rows, [plain(s) == step for s in rows["step"]])
    chosen = _widest(rows)
    return averaged(rows if chosen is None else _at(rows, chosen), ("step",))


@remembered
def at_every_step(metrics: pd.DataFrame, metric: str, protocol: Protocol) -> pd.DataFrame:
    """Quality by `metric` of samples that were drawn as `protocol` says, at every measured step.

    Columns as `over_training`. Of several ways to measure it (neighbours k, chunk sizes) the one
    with the most (model, step)s.
    """
    rows = measured(metrics, metric)
    rows = where(rows, [p.drawn == protocol.drawn for p in rows["protocol"]])
    return _followed(rows[rows["step"].notna()])[0]


def of_other_samples(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Measured rows at the compared step of samples that none of `final_rows` has.

    They are of other sampling seeds, and may be fewer or of other sampling steps; guidance and
    decoder are the same. Of several such ways the one that covers the most models.
    """
    rows = measured(metrics, metric)
    chosen = _widest(rows)
    if chosen is None:
        return rows
    seeds = set(_at(rows, chosen)["sampling_seed"].dropna())
    kept = rows["sampling_seed"].notna() & ~rows["sampling_seed"].isin(seeds)
    alike = [_but_how_many(p) == _but_how_many(chosen[0]) for p in rows["protocol"]]
    at_step = [plain(s) == chosen[1] for s in rows["step"]]
    rows = where(rows, list(kept.to_numpy(bool) & np.array(alike) & np.array(at_step)))
    other = _widest(rows)
    return rows if other is None else _at(rows, other)


def _but_how_many(protocol: Protocol) -> Protocol:
    return dataclasses.replace(protocol.drawn, samples=None, sampling_steps=None)


@remembered
def final_quality(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Quality of every configuration at the compared step, by increasing Gflops.

    Columns: label, step, value, std, seeds and the model's facts. A model that was not measured
    at that step in that way (see `final_protocol`) is absent.
    """
    return averaged(final_rows(metrics, metric), ("step",))


@remembered
def over_training(
    metrics: pd.DataFrame, metric: str, lengths: bool = True
) -> tuple[pd.DataFrame, Protocol | None]:
    """Quality at every measured step, under the unguided protocol with the most (model, step)s.

    Columns as `final_quality`, with `step` and `train_gflops`, by label and step. Checkpoints of
    which the step is not known (imported ones) are left out. `lengths`: see `labelled`.
    """
    rows = measured(metrics, metric, lengths)
    rows = rows[rows["step"].notna()]
    return _followed(where(rows, [not p.guided for p in rows["protocol"]]))


def _followed(rows: pd.DataFrame) -> tuple[pd.DataFrame, Protocol | None]:
    """Means at every step, under the protocol with the most (model, step)s."""
    if not len(rows):
        return averaged(rows, ("step", "train_gflops")), None
    points = rows.drop_duplicates(["label", "step", "protocol"]).groupby("protocol", sort=False)
    size = points.size()
    best = max(size.index, key=lambda p: (size[p], p.samples or 0, p.sampling_steps or 0, repr(p)))
    out = averaged(where(rows, [p == best for p in rows["protocol"]]), ("step", "train_gflops"))
    return out.sort_values(["gflops", "label", "step"]).reset_index(drop=True), best


@remembered
def over_finished(metrics: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Protocol | None]:
    """`over_training` of finished checkpoints, which compare at equal training compute.

    Trainings of all lengths are one curve. The same frame where the rate is constant.
    """
    return over_training(metrics[finished(metrics)], metric, lengths=False)


def sampling_sweep_rows(metrics: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Protocol | None]:
    """The measured rows of the widest unguided sweep over sampling steps, one per seed.

    Rows of one training step that differ in the number of steps alone; every label has two step
    counts at least. What harness.analysis.sampling takes.
    """
    rows = measured(metrics, metric)
    rows = where(rows, [not p.guided for p in rows["protocol"]])
    families: dict[tuple[Protocol, int | None], list[int]] = {}
    for i, (protocol, step) in enumerate(zip(rows["protocol"], rows["step"], strict=True)):
        family = dataclasses.replace(protocol, sampling_steps=None)
        families.setdefault((family, plain(step)), []).append(i)
    sweeps = []
    for (protocol, step), positions in families.items():
        one = rows.iloc[positions]
        # A single step count (the final evaluation's) says nothing of a model's own sweep.
        counts = one.groupby("label")["sampling_steps"].transform("nunique")
        one = one[counts > 1]
        if len(one):
            points = len(one.drop_duplicates(["label", "sampling_steps"]))
            rank = (points, step or 0, protocol.samples or 0, repr(protocol))
            sweeps.append((rank, protocol, one))
    if not sweeps:
        return rows.iloc[:0], None
    _, protocol, one = max(sweeps, key=lambda s: s[0])
    return one, protocol


def sampling_sweep(metrics: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, Protocol | None]:
    """`sampling_sweep_rows`, averaged over seeds: quality against sampling steps.

    Columns as `final_quality`, with `sampling_steps`, `sampling_gflops` and `step`. Empty where no
    model has two step counts.
    """
    rows, protocol = sampling_sweep_rows(metrics, metric)
    if protocol is None:
        return averaged(rows, ("sampling_steps", "sampling_gflops")), None
    swept = averaged(rows, ("sampling_steps", "sampling_gflops", "step"))
    return swept.sort_values(["gflops", "label", "sampling_steps"], ignore_index=True), protocol


def drawn_by(rows: pd.DataFrame, *without: str) -> list[tuple[str, int | None, Protocol]]:
    """Per row of `measured`: label, step, and how its samples were drawn, less these fields."""
    blank: Any = dict.fromkeys(without)
    steps = [plain(step) for step in rows["step"]]
    ways = [dataclasses.replace(p.drawn, **blank) for p in rows["protocol"]]
    return list(zip(rows["label"], steps, ways, strict=True))

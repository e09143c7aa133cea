"""Claims of a study's own: pairs of models that it named before the data were seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.analysis.sampling import compare_pairs
from harness.paper import pair_id
from harness.paper.evidence import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Verdict,
    nothing,
)


def decide_pairs(pairs: Sequence[tuple[str, str]], evidence: Evidence) -> list[Verdict]:
    """Pairs (smaller, larger) that a study named beforehand: is the larger ahead at equal sampling
    compute?

    The names are labels, or models where each has one label. The pairs are tested together, with
    Holm's correction over those that can be.
    """
    rows = evidence.sweep
    labels = [(_label(a, rows), _label(b, rows)) for a, b in pairs]
    tested = list(dict.fromkeys(both for both in labels if None not in both))
    found = compare_pairs(rows, evidence.metric, tested) if tested else rows.iloc[:0]  # type: ignore[arg-type]
    told = {(r["smaller"], r["larger"]): r for r in found.to_dict("records")}
    return [
        _verdict(pair, both, told.get(both), rows) for pair, both in zip(pairs, labels, strict=True)
    ]


def _label(name: str, rows: pd.DataFrame) -> str | None:
    """The one label that a name means; None where it means none, or several."""
    own = _labels(name, rows)
    return own[0] if len(own) == 1 else None


def _labels(name: str, rows: pd.DataFrame) -> list[str]:
    if not len(rows):
        return []
    return [
        str(v) for v in rows[(rows["label"] == name) | (rows["model"] == name)]["label"].unique()
    ]


def _verdict(
    pair: tuple[str, str],
    labels: tuple[str | None, str | None],
    row: dict[Any, Any] | None,
    rows: pd.DataFrame,
) -> Verdict:
    smaller, larger = pair
    said = f"{larger} is ahead of {smaller} at equal sampling compute"
    name, where = pair_id(smaller, larger), "this study"
    if row is None:
        return Verdict(name, where, said, *nothing(_why_not(pair, labels, rows)))
    words = f"{row['ratio']:.3f} times better ({row['ratio_low']:.3f} to {row['ratio_high']:.3f})"
    verdict = {"larger": SUPPORTED, "smaller": CONTRADICTED}.get(str(row["ahead"]), UNDECIDED)
    return Verdict(name, where, said, verdict, words)


def _why_not(
    pair: tuple[str, str], labels: tuple[str | None, str | None], rows: pd.DataFrame
) -> str:
    """Why a pair was not compared."""
    if not len(rows):
        return "no sweep over sampling steps"
    for one, label in zip(pair, labels, strict=True):
        if label is None:
            several = bool(_labels(one, rows))
            return f"{one} was {'swept in several settings' if several else 'not swept'}"
    first, second = (float(rows[rows["label"] == label]["gflops"].iloc[0]) for label in labels)
    if first >= second:
        return f"{pair[1]} has no more Gflops than {pair[0]}"
    return "no common range of sampling compute"

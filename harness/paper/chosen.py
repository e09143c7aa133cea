"""Claims of a study's own: pairs of models that it named before the data were seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.sampling import judged_together, uncorrected
from harness.paper import pair_id
from harness.paper.evidence import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Verdict,
    nothing,
)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Compared:
    """Pairs on the records of one setting, each compared and not corrected yet."""

    sweep: pd.DataFrame  # of the setting's evidence
    labels: dict[Pair, tuple[str | None, str | None]]  # what the names of a pair mean there
    rows: pd.DataFrame  # of harness.analysis.sampling.uncorrected

    def decidable(self, pair: Pair) -> bool:
        """Could the pair be compared on these records?"""
        rows = self.rows.to_dict("records")
        return self.labels[pair] in {(row["smaller"], row["larger"]) for row in rows}


def compared(pairs: Sequence[Pair], evidence: Evidence) -> Compared:
    """Compare pairs (smaller, larger) at equal sampling compute, for `decide`.

    The names are labels, or models where each has one label.
    """
    sweep = evidence.sweep
    labels = {(a, b): (_label(a, sweep), _label(b, sweep)) for a, b in pairs}
    known = list(
        dict.fromkeys((a, b) for a, b in labels.values() if a is not None and b is not None)
    )
    rows = uncorrected(sweep, evidence.metric, known) if known else pd.DataFrame()
    return Compared(sweep, labels, rows)


def decide(asked: Sequence[tuple[Pair, Compared]]) -> list[Verdict]:
    """Pairs that a study named beforehand: is the larger ahead at equal sampling compute?

    Holm's correction is over all pairs in all settings. A study that names one pair and is read in
    five settings has asked five times, and a reader takes any of the answers.
    """
    settings = list({id(setting): setting for _, setting in asked}.values())
    judged = judged_together([setting.rows for setting in settings])
    found = {
        (id(setting), row["smaller"], row["larger"]): row
        for setting, frame in zip(settings, judged, strict=True)
        for row in frame.to_dict("records")
    }
    verdicts = []
    for pair, setting in asked:
        labels = setting.labels[pair]
        row = found.get((id(setting), *labels))
        verdicts.append(_verdict(pair, labels, row, setting.sweep))
    return verdicts


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

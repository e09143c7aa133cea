"""Claims of a study's own: pairs of models that it named before the data were seen."""

from __future__ import annotations

from collections.abc import Sequence
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


def decide_pairs(pairs: Sequence[Pair], evidence: Evidence) -> list[Verdict]:
    """Pairs (smaller, larger) that a study named beforehand: is the larger ahead at equal sampling
    compute?

    The names are labels, or models where each has one label. The pairs are tested together, with
    Holm's correction over those that can be.
    """
    return decide_over([(pair, evidence) for pair in pairs])


def decide_over(asked: Sequence[tuple[Pair, Evidence]]) -> list[Verdict]:
    """As `decide_pairs`, each pair on the records of its own setting.

    Holm's correction is over all pairs in all settings. A study that names one pair and is read in
    five settings has asked five times, and a reader takes any of the answers.
    """
    settings = list({id(evidence): evidence for _, evidence in asked}.values())
    labels = [(_label(a, e.sweep), _label(b, e.sweep)) for (a, b), e in asked]
    frames = []
    for evidence in settings:
        of_it = [both for both, (_, e) in zip(labels, asked, strict=True) if e is evidence]
        known = list(dict.fromkeys((a, b) for a, b in of_it if a is not None and b is not None))
        frames.append(
            uncorrected(evidence.sweep, evidence.metric, known) if known else pd.DataFrame()
        )
    found = {
        (id(evidence), r["smaller"], r["larger"]): r
        for evidence, frame in zip(settings, judged_together(frames), strict=True)
        for r in frame.to_dict("records")
    }
    return [
        _verdict(pair, both, found.get((id(evidence), *both)), evidence.sweep)
        for (pair, evidence), both in zip(asked, labels, strict=True)
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

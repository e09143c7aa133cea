"""Claims about the other metrics of the same samples (Figure 12) and the loss (Figure 13)."""

from __future__ import annotations

import math
from typing import Any

from harness.analysis.correlations import compare_correlations, correlation
from harness.analysis.intervals import Interval
from harness.analysis.metrics import higher_is_better, kind, short_title
from harness.errors import BadInput
from harness.paper.evidence import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    adaln_zero,
    nothing,
)

OTHERS = {"sfd": "sFID", "is": "IS", "precision": "precision", "recall": "recall"}
# The metrics of the paper's Figure 12 beside FID.


def other_metrics(e: Evidence) -> tuple[str, str]:
    """Figure 12: does every metric beside FID improve with Gflops?"""
    words, verdicts = [], []
    asked = {n: r for n, r in e.others.items() if kind(n) in OTHERS}
    level = 1 - 0.05 / max(1, len(asked))  # of all together
    for name, rows in asked.items():
        own = adaln_zero(Evidence(final=rows))
        try:
            r = correlation(own["gflops"], own["value"], confidence=level).pearson
        except (BadInput, KeyError):
            continue
        good = r.low > 0 if higher_is_better(name) else r.high < 0
        bad = r.high < 0 if higher_is_better(name) else r.low > 0
        verdicts.append(SUPPORTED if good else CONTRADICTED if bad else UNDECIDED)
        words.append(f"{short_title(name)} {_three(r)}")
    if not verdicts:
        return nothing("no other metrics of three models")
    said = f"Pearson with log Gflops: {', '.join(words)}"
    known = {kind(name) for name in (*e.others, e.metric)}
    if lacking := [title for one, title in OTHERS.items() if one not in known]:
        said += f"; not measured: {', '.join(lacking)}"
    for one in (CONTRADICTED, UNDECIDED):
        if one in verdicts:
            return one, said
    return SUPPORTED, said


def _three(r: Interval) -> str:
    """Correlations near 1 need a third decimal."""
    places = 3 if abs(r.value) > 0.95 else 2
    if math.isnan(r.low):
        return f"{r.value:.{places}f} (an interval needs four models)"
    return f"{r.value:.{places}f} ({r.low:.{places}f} to {r.high:.{places}f})"


def benefit_most(e: Evidence) -> tuple[str, str]:
    """Do Inception Score and precision follow Gflops more closely than the others?"""
    frames = {**e.others, e.metric: e.final}
    by_kind = {kind(n): adaln_zero(Evidence(final=rows)) for n, rows in frames.items()}
    names = {kind(name): short_title(name) for name in (*e.others, e.metric)}
    asked = [
        (strong, weak)
        for strong in ("is", "precision")
        for weak in ("fd", "sfd", "recall")
        if strong in by_kind and weak in by_kind
    ]
    level = 1 - 0.05 / max(1, len(asked))  # of all together
    gaps, words = [], []
    for strong, weak in asked:
        a = by_kind[strong].set_index("label")
        b = by_kind[weak].set_index("label").reindex(a.index)
        try:
            gap = compare_correlations(a["gflops"], a["value"], b["value"], level)
        except (BadInput, KeyError):
            continue
        gaps.append(gap)
        words.append(
            f"{names[strong]} over {names[weak]} {gap.value:+.2f} ({gap.low:.2f} to {gap.high:.2f})"
        )
    if not gaps:
        return nothing("class score, precision and another metric of four models are needed")
    said = f"by how much the size of Pearson with log Gflops is larger: {', '.join(words)}"
    if all(g.low > 0 for g in gaps):
        return SUPPORTED, said
    return (CONTRADICTED if any(g.high < 0 for g in gaps) else UNDECIDED), said


def loss(e: Evidence) -> tuple[str, str]:
    """Figure 13: have models of more Gflops a lower training loss at every stage of training?"""
    if not len(e.losses):
        return nothing("no training losses")
    found = []
    steps: Any = e.losses.groupby("step")
    for step, one in steps:
        try:
            rank = correlation(one["gflops"], one["loss"], confidence=1 - 0.05 / 3)
        except BadInput:
            continue
        found.append((int(step), rank.spearman))
    if not found:
        return nothing("no training step at which three models have a loss")
    # "Lower at every stage": the first, the middle and the last milestone stand for all.
    stages = [found[0], found[len(found) // 2], found[-1]]
    words = ", ".join(f"{_three(r)} at step {s:,}" for s, r in stages)
    said = f"Spearman of loss and Gflops {words}"
    if all(r.high < 0 for _, r in stages):
        return SUPPORTED, said
    return (CONTRADICTED if any(r.low > 0 for _, r in stages) else UNDECIDED), said

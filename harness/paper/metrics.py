"""Claims about the other metrics of the same samples (Figure 12) and the loss (Figure 13)."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
STRONG, WEAK = ("is", "precision"), ("fd", "sfd", "recall")


def other_metrics(e: Evidence) -> tuple[str, str]:
    """Figure 12: does every metric beside FID improve with Gflops?

    One that surely gets worse contradicts it. All of them have to be measured to support it.
    """
    words, verdicts, judged = [], [], set()
    asked = {n: r for n, r in {**e.others, e.metric: e.final}.items() if kind(n) in OTHERS}
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
        judged.add(kind(name))
    if not verdicts:
        return nothing("no other metrics of three models")
    lacking = _lacking(OTHERS, judged, {kind(name) for name in asked})
    said = f"Pearson with log Gflops: {', '.join(words)}{lacking}"
    if CONTRADICTED in verdicts:
        return CONTRADICTED, said
    return (UNDECIDED if lacking or UNDECIDED in verdicts else SUPPORTED), said


def _lacking(asked: Iterable[str], judged: set[str], measured: set[str]) -> str:
    """Which of the kinds that a claim asks for could not be judged, and why."""
    lists = {"not measured": [k for k in asked if k not in measured],
             "of too few models": [k for k in asked if k in measured - judged]}  # fmt: skip
    titles = {"fd": "FID", **OTHERS}
    return "".join(
        f"; {why}: {', '.join(titles[k] for k in kinds)}" for why, kinds in lists.items() if kinds
    )


def _three(r: Interval) -> str:
    """Correlations near 1 need a third decimal."""
    places = 3 if abs(r.value) > 0.95 else 2
    if math.isnan(r.low):
        return f"{r.value:.{places}f} (an interval needs four models)"
    return f"{r.value:.{places}f} ({r.low:.{places}f} to {r.high:.{places}f})"


def benefit_most(e: Evidence) -> tuple[str, str]:
    """Do Inception Score and precision follow Gflops more closely than the others?

    One that surely follows it less than another contradicts it. All six pairs support it.
    """
    frames = {**e.others, e.metric: e.final}
    by_kind = {kind(n): adaln_zero(Evidence(final=rows)) for n, rows in frames.items()}
    names = {kind(name): short_title(name) for name in (*e.others, e.metric)}
    pairs = [(strong, weak) for strong in STRONG for weak in WEAK]
    asked = [(a, b) for a, b in pairs if a in by_kind and b in by_kind]
    level = 1 - 0.05 / max(1, len(asked))  # of all together
    gaps, words, judged = [], [], set()
    for strong, weak in asked:
        try:
            a = by_kind[strong].set_index("label")
            b = by_kind[weak].set_index("label").reindex(a.index)
            gap = compare_correlations(a["gflops"], a["value"], b["value"], level)
        except (BadInput, KeyError):
            continue
        gaps.append(gap)
        words.append(
            f"{names[strong]} over {names[weak]} {gap.value:+.2f} ({gap.low:.2f} to {gap.high:.2f})"
        )
        judged |= {strong, weak}
    if not gaps:
        return nothing("class score, precision and another metric of four models are needed")
    said = f"by how much the size of Pearson with log Gflops is larger: {', '.join(words)}"
    said += _lacking((*STRONG, *WEAK), judged, set(by_kind))
    if any(g.high < 0 for g in gaps):
        return CONTRADICTED, said
    every = len(gaps) == len(pairs)
    return (SUPPORTED if every and all(g.low > 0 for g in gaps) else UNDECIDED), said


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

"""What a study's records say of the claims, each of its settings by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from harness.analysis import recipes, selection
from harness.analysis.metrics import primary_metric
from harness.paper.chosen import Compared, Pair, compared, decide
from harness.paper.claims import decide_all, papers_evidence
from harness.paper.evidence import Evidence, Verdict, evidence
from harness.paper.numbers import decide_numbers
from harness.report.input import ReportInput


def verdicts(
    report: ReportInput, final: pd.DataFrame, parts: Sequence[tuple[str, pd.DataFrame]]
) -> tuple[list[Verdict], str]:
    """The verdicts, and why there are none.

    `parts`: name and rows of each reference (`findings.by_reference`). Values of two references or
    of two recipes do not compare, so that each is decided alone and its verdicts bear its name.
    Decided only where a section shows them.
    """
    asked = {s if isinstance(s, str) else s.name for s in report.sections}
    if not asked & {"claims", "headline", "abstract"}:
        return [], ""
    frames = report.frames
    if report.papers_own:
        return _chosen(report, "", papers_evidence(), frames["metrics"]), ""
    if not len(final):
        return [], "No model has a measured quality yet."
    settings = [
        (" ".join(w for w in (recipe, mark if mark not in recipe else "") if w), rows)
        for mark, part in parts
        for recipe, rows in recipes.split(part)
    ]
    found: list[Verdict] = []
    failed = _failed_runs(final, parts)
    every: list[tuple[str, Evidence]] = []
    for name, rows in settings:
        every.append((name, evidence(rows, frames["training"])))
        told = _chosen(report, name, every[-1][1], rows)
        if failed & set(rows["run"].dropna()):
            kept, losses = (f[~f["run"].isin(failed)] for f in (rows, frames["training"]))
            others = _chosen(report, name, evidence(kept, losses), kept)
            told = [_with(one, other) for one, other in zip(told, others, strict=True)]
        found += told
    return [*found, *_pairs(report.claim_pairs, every, parts)], ""


def _failed_runs(final: pd.DataFrame, parts: Sequence[tuple[str, pd.DataFrame]]) -> set[str]:
    """The runs of models that did not learn."""
    labels = {str(r["label"]) for r in final.to_dict("records") if r["learned"] is False}
    if not labels:
        return set()
    found: set[str] = set()
    for _, rows in parts:
        measured = selection.measured(rows, primary_metric(rows) or "")
        found |= set(measured[measured["label"].isin(labels)]["run"].dropna())
    return found


def _with(verdict: Verdict, without: Verdict) -> Verdict:
    """A verdict, and the one without models that did not learn where they had a part in it."""
    if not verdict.decidable or verdict.numbers == without.numbers:
        return verdict
    same = "the same" if without.verdict == verdict.verdict else without.verdict
    what = same if without.decidable else "not decidable"
    said = f"{verdict.numbers}; without those that did not learn: {what}"
    return dataclasses.replace(verdict, numbers=said)


def _chosen(
    report: ReportInput, setting: str, source: Evidence, metrics: pd.DataFrame
) -> list[Verdict]:
    every = [*decide_all(source), *decide_numbers(source, metrics)]
    named = [dataclasses.replace(v, setting=setting) for v in every]
    return named if report.claims is None else [v for v in named if v.id in report.claims]


def _pairs(
    pairs: Sequence[Pair],
    settings: Sequence[tuple[str, Evidence]],
    parts: Sequence[tuple[str, pd.DataFrame]],
) -> list[Verdict]:
    """The study's own pairs: by their labels over each reference, by their models per setting.

    All of them are corrected together, over the settings too.
    """
    if not pairs:
        return []
    places: dict[Pair, list[tuple[str, Compared]]] = {}
    left = list(pairs)
    for way in ([(name, evidence(rows)) for name, rows in parts], settings):
        own = [(name, compared(left, e)) for name, e in way]
        places |= dict.fromkeys(left, own)
        left = [pair for pair in left if not any(one.decidable(pair) for _, one in own)]
        if not left:
            break
    asked = [(name, pair, one) for pair in pairs for name, one in places[pair]]
    found = decide([(pair, one) for _, pair, one in asked])
    return [
        dataclasses.replace(verdict, setting=name)
        for (name, _, _), verdict in zip(asked, found, strict=True)
    ]

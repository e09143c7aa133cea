"""What the paper claims, and what these records say of it: each with the test that decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis import selection
from harness.analysis.correlations import regression
from harness.analysis.intervals import Difference, corrected, degrees, difference
from harness.components.section import Section
from harness.errors import BadInput
from harness.report.blocks import Block, Cell, Text, em, paragraph, ref, strong, table
from harness.report.findings import Findings
from harness.report.phrases import PAPER, correlation_text, direction
from harness.report.wording import within

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
AGREES = "agrees, spread not published"


@dataclass(frozen=True)
class Claim:
    """One sentence of the paper, where it stands, and the function that decides it."""

    where: str
    sentence: str
    decide: Callable[[Findings], tuple[str, str] | None]
    """(verdict, numbers), or None where the records have nothing to say."""


class Claims(Section):
    """The paper's claims, fixed before the data, each supported, contradicted or undecided."""

    name = "claims"
    title = "Claims"

    def blocks(self, findings: Findings) -> list[Block]:
        if findings.references > 1 or (len(findings.groups) != 1 and not _blocks_alone(findings)):
            why = "The study's settings or references are several: the claims are of one."
            return [paragraph(em(why))]
        rows: list[list[str | Cell]] = []
        for claim in CLAIMS:
            said = claim.decide(findings)
            if said is not None:
                verdict, numbers = said
                bold = verdict in (SUPPORTED, CONTRADICTED)
                shown: str | Cell = Cell(verdict, strong=True) if bold else verdict
                rows.append([claim.where, claim.sentence, shown, numbers])
        if not rows:
            return [paragraph(em("These records decide none of the paper's claims."))]
        caption: list[Text] = [
            strong("Claims. "),
            f"{PAPER}. Intervals are 95%, with Holm's correction within a claim; a claim whose "
            "interval holds no difference is undecided, not refuted.",
        ]
        if findings.checkpoints and not findings.report.papers_own:
            caption.append(" One training seed: the verdicts are of these checkpoints.")
        head: list[str | Cell] = ["Where", "The paper says", "These records", "By"]
        return [
            paragraph(ref("tab-claims"), " has what the paper says and what these records say."),
            table("claims", "llll", [head], rows, caption, wide=True, size=7.9),
        ]


def _blocks_alone(found: Findings) -> bool:
    """Do the groups differ in the block design alone?"""
    return set(found.groups) <= {str(b) for b in found.final["block"].dropna().unique()}


def _correlation(found: Findings) -> tuple[str, str] | None:
    if len(found.groups) != 1 or found.groups[0] not in found.correlations:
        return None
    c = found.correlations[found.groups[0]]
    verdict = {"better": SUPPORTED, "worse": CONTRADICTED}.get(
        direction(c.pearson, found.higher), UNDECIDED
    )
    return verdict, f"Pearson {correlation_text(c.pearson)}, {c.models} models"


def _gflops_not_parameters(found: Findings) -> tuple[str, str] | None:
    rows = found.final[found.final["params"].notna() & (found.final["value"] > 0)]
    if len(found.groups) != 1 or found.higher or rows["params"].nunique() < 3:
        return None
    logs = {c: np.log(rows[c].to_numpy(float)) for c in ("value", "gflops", "params")}
    try:
        both = regression(logs["value"], {c: logs[c] for c in ("gflops", "params")})
        alone = {c: regression(logs["value"], {c: logs[c]}).r2 for c in ("gflops", "params")}
    except BadInput:
        return None
    slope = both.coefficients["gflops"]
    verdict = UNDECIDED
    if slope.high < 0:
        verdict = SUPPORTED if alone["gflops"] > alone["params"] else UNDECIDED
    elif slope.low > 0:
        verdict = CONTRADICTED
    return verdict, (
        f"slope of log Gflops at equal parameters {within(*slope)}; R² {alone['gflops']:.2f} with "
        f"Gflops alone, {alone['params']:.2f} with parameters alone"
    ).replace("-", "−")


def _steps(along: str) -> Callable[[Findings], tuple[str, str] | None]:
    def decide(found: Findings) -> tuple[str, str] | None:
        rows = found.final[found.final["size"].notna() & found.final["patch_size"].notna()]
        if not len(rows):
            return None
        pairs = []
        keys = pd.Series(selection.series(rows, along), index=rows.index)
        for _, part in rows.groupby(keys, sort=False):
            ordered = part.sort_values("gflops")
            pairs += list(pairwise(ordered.index))
        return _judged(rows, [(b, a) for a, b in pairs], found) if pairs else None

    return decide


def _judged(
    rows: pd.DataFrame, pairs: Sequence[tuple[Any, Any]], found: Findings
) -> tuple[str, str]:
    """Is the first of each pair better than the second? Holm over the pairs."""
    std, df = selection.errors(rows)
    at = {index: i for i, index in enumerate(rows.index)}
    values = rows["value"].to_numpy(float)
    gaps: list[Difference] = corrected(
        [
            difference(
                *(values[at[i]] for i in pair),
                *(std[at[i]] for i in pair),
                *(degrees(df[at[i]]) for i in pair),
            )
            for pair in pairs
        ]
    )
    sign = 1 if found.higher else -1
    better = sum(not g.tie and sign * g.value > 0 for g in gaps)
    worse = sum(not g.tie and sign * g.value < 0 for g in gaps)
    points = sum(sign * g.value > 0 for g in gaps)
    total = len(gaps)
    if found.report.papers_own:
        verdict = AGREES if points == total else UNDECIDED
        return verdict, f"{points} of {total} values"
    if all(math.isnan(g.std) for g in gaps):
        return UNDECIDED, f"{points} of {total} values, without standard errors"
    verdict = CONTRADICTED if worse else SUPPORTED if better == total else UNDECIDED
    return verdict, f"{better} of {total} surely, {worse} surely not, {points} by value"


def _sampling(found: Findings) -> tuple[str, str] | None:
    pairs = found.pairs
    if not len(pairs):
        return None
    ahead = pairs["ahead"].value_counts()
    larger, smaller = int(ahead.get("larger", 0)), int(ahead.get("smaller", 0))
    verdict = CONTRADICTED if smaller else SUPPORTED if larger == len(pairs) else UNDECIDED
    return (
        verdict,
        f"the larger is ahead in {larger} of {len(pairs)} pairs, the smaller in {smaller}",
    )


def _best_block(found: Findings) -> tuple[str, str] | None:
    rows = found.final
    pairs = []
    for _, part in rows.groupby("model", sort=False):
        ours = part.index[part["block"] == "adaln-zero"]
        others = part.index[part["block"] != "adaln-zero"]
        pairs += [(i, j) for i in ours for j in others]
    return _judged(rows, pairs, found) if pairs else None


CLAIMS = (
    Claim(
        "Figure 8", "Model Gflops and sample quality are strongly correlated.", _correlation
    ),
    Claim(
        "Figure 8", "Gflops, not parameters, decide the quality of a model.",
        _gflops_not_parameters,
    ),
    Claim("Figure 6", "At one patch size a larger model is better.", _steps("size")),
    Claim("Figure 6", "At one size a smaller patch is better.", _steps("patch_size")),
    Claim(
        "Figure 10", "More sampling compute does not make up for a smaller model.", _sampling
    ),
    Claim("Figure 5", "adaLN-Zero is the best of the block designs.", _best_block),
)  # fmt: skip

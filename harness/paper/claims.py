"""The paper's claims, decided from frames: by the paper's own tables, or by a study's records.

Each claim of `claims_text` is a function of `Evidence` that was fixed before any records were
seen. Its verdict is "supported", "contradicted" or "undecided"; on the paper's own tables, which
publish no spread, a measured comparison can only be "agrees, spread not published" or "disagrees,
spread not published". Counts of exact numbers (Gflops) are decided without a spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd

from harness import paper
from harness.analysis import shared_draws
from harness.analysis.averaging import errors, of_one_spread
from harness.analysis.correlations import correlation, regression
from harness.analysis.crossings import crossings, last_common
from harness.analysis.intervals import Difference, Interval, corrected, difference
from harness.analysis.labels import series
from harness.analysis.metrics import higher_is_better
from harness.analysis.sampling import compare_pairs
from harness.errors import BadInput
from harness.paper import metrics, published
from harness.paper.evidence import (
    AGREES,
    CONTRADICTED,
    DISAGREES,
    SUPPORTED,
    UNDECIDED,
    Evidence,
    Verdict,
    adaln_zero,
    nothing,
    papers_evidence,
)

__all__ = [
    "Evidence",
    "Verdict",
    "decide",
    "decide_all",
    "papers_evidence",
]


def decide(id: str, evidence: Evidence) -> Verdict:
    """One claim of `claims_text` on this evidence. Raises BadInput for an unknown id."""
    rows = {str(row["id"]): row for row in paper.table("claims_text")}
    if id not in rows:
        raise BadInput(f"unknown claim {id!r}; claims: {', '.join(rows)}")
    row = rows[id]
    verdict, numbers = _DECIDED_BY[id](evidence)
    return Verdict(id, str(row["where"]), str(row["claim"]), verdict, numbers)


def decide_all(evidence: Evidence) -> list[Verdict]:
    """All claims in the paper's order."""
    return [decide(str(row["id"]), evidence) for row in paper.table("claims_text")]


def _judged(gaps: list[Difference], published: bool, good: int) -> str:
    """All of `gaps` on the good side (+1: positive) is support, one surely on the other is not."""
    if published:
        return AGREES if all(g.value * good > 0 for g in gaps) else DISAGREES
    if all(not g.tie and g.value * good > 0 for g in gaps):
        return SUPPORTED
    if any(not g.tie and g.value * good < 0 for g in gaps):
        return CONTRADICTED
    return UNDECIDED


def _no_spread(gaps: list[Difference], published: bool) -> str:
    """How many differences have a standard error of 0: what did not vary carries no test."""
    n = 0 if published else sum(g.degenerate for g in gaps)
    return f"; {n} of {len(gaps)} with a standard error of 0" if n else ""


def _log_gap(e: Evidence, a: pd.Series, b: pd.Series) -> Difference:
    """log(a / b) of two rows of one frame."""
    frame = pd.DataFrame([a, b])
    std, df = errors(frame)
    va, vb = float(a["value"]), float(b["value"])
    sa, sb = std[0] / va, std[1] / vb
    r = float(shared_draws.error_correlations(frame)[0, 1])
    shared = r * float(sa * sb) if r else 0.0
    return difference(math.log(va), math.log(vb), sa, sb, df[0], df[1], covariance=shared,
                      one_spread=bool(of_one_spread(frame).all()))  # fmt: skip


def _ratio(gap: Difference, published: bool) -> str:
    if published or not gap.interval.known:
        return f"{math.exp(gap.value):.3f}"
    return (
        f"{math.exp(gap.value):.3f} ({math.exp(gap.interval.low):.3f} to "
        f"{math.exp(gap.interval.high):.3f})"
    )


def _sign(e: Evidence) -> int:
    return 1 if higher_is_better(e.metric) else -1


def _blocks(
    e: Evidence, others: tuple[str, ...] | None = None
) -> list[tuple[pd.Series, pd.Series]]:
    """(adaLN-Zero, another block) of one model, every such pair."""
    if "block" not in e.final:
        return []
    pairs = []
    for _, ours in e.final[e.final["block"] == "adaln-zero"].iterrows():
        same = e.final[(e.final["model"] == ours["model"]) & (e.final["block"] != "adaln-zero")]
        for _, theirs in same.iterrows():
            if others is None or theirs["block"] in others:
                pairs.append((ours, theirs))
    return pairs


def _block_quality(others: tuple[str, ...] | None) -> Callable[[Evidence], tuple[str, str]]:
    def by(e: Evidence) -> tuple[str, str]:
        pairs = _blocks(e, others)
        if not pairs or (others is None and len({t["block"] for _, t in pairs}) < 3):
            return nothing("not all of these block designs were measured at one size")
        gaps = corrected([_log_gap(e, a, b) for a, b in pairs])
        words = [f"{a['value']:.2f} against {b['value']:.2f} ({b['block']}, {a['model']})"
                 for a, b in pairs]  # fmt: skip
        said = ", ".join(words) + _no_spread(gaps, e.published)
        return _judged(gaps, e.published, _sign(e)), said

    return by


def _half(e: Evidence) -> tuple[str, str]:
    pairs = _blocks(e, ("in-context",))
    if not pairs:
        return nothing("adaLN-Zero and in-context were not both measured")
    gaps = corrected([_log_gap(e, a, b) for a, b in pairs])
    near = Interval(0, math.log(0.4), math.log(0.6))  # "nearly half", fixed beforehand
    ratios = [_ratio(gap, e.published) for gap in gaps]
    if len(pairs) > 1:
        ratios = [f"{ratio} ({a['model']})" for ratio, (a, _) in zip(ratios, pairs, strict=True)]
    words = f"ratio {', '.join(ratios)}; nearly half: 0.4 to 0.6"
    words += _no_spread(gaps, e.published)
    if e.published:
        return (AGREES if all(gap.value in near for gap in gaps) else DISAGREES), words
    limits = [gap.interval for gap in gaps]
    if all(near.low <= found.low and found.high <= near.high for found in limits):
        return SUPPORTED, words
    apart = any(found.low > near.high or found.high < near.low for found in limits)
    return (CONTRADICTED if apart else UNDECIDED), words


def _cheapest(e: Evidence) -> tuple[str, str]:
    pairs = _blocks(e)
    if len({t["block"] for _, t in pairs}) < 3:
        return nothing("not all four block designs are among the models")
    words = ", ".join(
        f"{a['gflops']:.2f} against {b['gflops']:.2f} ({b['block']})" for a, b in pairs
    )
    ours, cheapest = min(pairs, key=lambda pair: float(pair[1]["gflops"] / pair[0]["gflops"]))
    share = 1 - cheapest["gflops"] / ours["gflops"]
    if not share > 0:
        return SUPPORTED, words
    # Of designs that are as good, none may be cheaper; the one that is cheaper may be worse.
    return CONTRADICTED, f"{words}; {cheapest['block']} is {100 * share:.2f} % cheaper"


def _forward(along: str) -> Callable[[Evidence], tuple[str, str]]:
    def by(e: Evidence) -> tuple[str, str]:
        frame = e.curves if len(e.curves) else adaln_zero(e)
        if not len(frame) or along not in frame:
            return nothing("no models that differ in this alone")
        step = frame["step"] if "step" in frame else pd.Series(0, index=frame.index)
        gaps = []
        for _, one in frame.groupby(step.fillna(-1)):
            groups: dict[object, list[pd.Series]] = {}
            for (_, row), key in zip(one.iterrows(), series(one, along), strict=True):
                if row["value"] > 0 and pd.notna(row[along]):
                    groups.setdefault(key, []).append(row)
            for rows in groups.values():
                rows.sort(key=lambda r: r["gflops"])
                gaps += [_log_gap(e, b, a) for a, b in pairwise(rows)]
        if not gaps:
            return nothing("no models that differ in this alone")
        better = sum(g.value * _sign(e) > 0 for g in gaps)
        sure = [g.value * _sign(e) > 0 for g in corrected(gaps) if not g.tie]
        words = f"{better} of {len(gaps)} steps forward improve"
        if not e.published:
            words += (
                f"; beyond Holm's correction {sum(sure)} improve and {len(sure) - sum(sure)} worsen"
                if any(g.interval.known for g in gaps)
                else "; no standard errors, so none is sure"
            )
            words += _no_spread(gaps, e.published)
        return _judged(corrected(gaps), e.published, _sign(e)), words

    return by


def _gflops_not_params(e: Evidence) -> tuple[str, str]:
    rows = adaln_zero(e)
    if len(rows) < 5 or "params" not in rows or (rows["value"] <= 0).any():
        return nothing("five models with Gflops and parameters are needed")
    logs = {c: np.log(rows[c].to_numpy(float)) for c in ("gflops", "params", "value")}
    y = logs.pop("value")
    try:
        both = regression(y, logs)
        alone = {name: regression(y, {name: x}).r2 for name, x in logs.items()}
    except BadInput as error:
        return nothing(str(error))
    g, p = both.coefficients["gflops"], both.coefficients["params"]
    words = (
        f"R2 {alone['gflops']:.3f} with Gflops alone, {alone['params']:.3f} with parameters alone, "
        f"{both.r2:.3f} with both; coefficients {g.value:.3f} ({g.low:.3f} to {g.high:.3f}) of "
        f"Gflops, {p.value:+.3f} ({p.low:.3f} to {p.high:.3f}) of parameters"
    )
    helps = g.high < 0 if _sign(e) < 0 else g.low > 0
    params_help = p.high < 0 if _sign(e) < 0 else p.low > 0
    if helps and not params_help:
        return SUPPORTED, words
    return (CONTRADICTED if params_help and not helps else UNDECIDED), words


def _similar(e: Evidence) -> tuple[str, str]:
    rows = [r for _, r in adaln_zero(e).iterrows() if r["value"] > 0]
    within = math.log(1.25)  # "similar FID", fixed beforehand
    found = [
        (a, b, _log_gap(e, a, b))
        for i, a in enumerate(rows) for b in rows[i + 1 :]
        if a["gflops"] > 0 and abs(math.log(a["gflops"] / b["gflops"])) <= math.log(1.5)
    ]  # fmt: skip
    if not found:
        return nothing("no two models within a factor of 1.5 in Gflops")
    gaps = corrected([g for *_, g in found])
    near = sum(abs(g.value) <= within for g in gaps)
    worst = max(math.exp(abs(g.value)) for g in gaps)
    words = f"{len(gaps)} pairs, {near} within a factor of 1.25, the largest factor {worst:.2f}"
    words += _by_patch([(a, b, g.value) for (a, b, _), g in zip(found, gaps, strict=True)])
    words += _no_spread(gaps, e.published)
    if e.published:
        return (AGREES if near == len(gaps) else DISAGREES), words
    if any(g.interval.low > within or g.interval.high < -within for g in gaps):
        return CONTRADICTED, words
    all_near = all(-within <= g.interval.low and g.interval.high <= within for g in gaps)
    return (SUPPORTED if all_near else UNDECIDED), words


def _by_patch(pairs: list[tuple[pd.Series, pd.Series, float]]) -> str:
    """The largest factors with and without models of the largest patch, where both occur."""
    if any("patch_size" not in row or pd.isna(row["patch_size"]) for a, b, _ in pairs
           for row in (a, b)):  # fmt: skip
        return ""
    patches = [max(int(a["patch_size"]), int(b["patch_size"])) for a, b, _ in pairs]
    top = max(patches)
    parts = []
    for words, kept in ((f"with patch {top}:", True), ("without:", False)):
        sizes = [math.exp(abs(v)) for (*_, v), p in zip(pairs, patches, strict=True)
                 if (p == top) == kept]  # fmt: skip
        if not sizes:
            return ""
        parts.append(f"{words} {len(sizes)}, up to {max(sizes):.2f}")
    return f" ({'; '.join(parts)})"


def _correlated(e: Evidence) -> tuple[str, str]:
    rows = adaln_zero(e)
    try:
        std, df = errors(rows)
        shared = shared_draws.error_correlations(rows)
        found = correlation(rows["gflops"], rows["value"], std, std_df=df, shared=shared,
                            one_spread=bool(of_one_spread(rows).all()))  # fmt: skip
    except (BadInput, KeyError) as error:
        return nothing(str(error))
    r, again = found.pearson, found.measured_pearson
    ends = f"{r.low:.3f} to {r.high:.3f} over models"
    if math.isnan(r.low):
        ends = "an interval needs four models"
    if again is not None and again.low < again.high:
        ends += f"; {again.low:.3f} to {again.high:.3f} over measurements"
    words = (
        f"Pearson {r.value:.3f} ({ends}), "
        f"Spearman {found.spearman.value:.3f}, {found.models} models"
    )
    if math.isnan(r.low):
        return UNDECIDED, words
    low, high = (r.low, r.high) if _sign(e) > 0 else (-r.high, -r.low)
    # "Strong" is 0.7 or more, fixed beforehand; models are the sample, so no other spread is
    # needed.
    return (SUPPORTED if low > 0.7 else CONTRADICTED if high < 0.7 else UNDECIDED), words


_NO_CURVES = (
    "no curves over training whose checkpoints compare at equal compute (where the rate falls to "
    "the end of training, only the last one does)"
)


def _train_efficient(e: Evidence) -> tuple[str, str]:
    if not len(e.finished):
        return nothing(_NO_CURVES)
    pairs = last_common(e.finished, e.metric)
    if not pairs:
        return nothing("no neighbours in size share a training compute")
    gains = corrected([p.gain for p in pairs])
    growths = corrected([p.growth for p in pairs])
    ahead = sum(not g.tie and g.value > 0 for g in gains)
    behind = sum(not g.tie and g.value < 0 for g in gains)
    words = (
        f"of {_pairs(len(pairs))} of neighbours in size, where the smaller was trained longest, at "
        f"equal training compute: the larger ahead in {ahead}, the smaller in {behind}, "
        f"{len(pairs) - ahead - behind} undecided (Holm)"
    )
    if ahead == len(pairs):
        return SUPPORTED, words
    # The paper says "eventually": a smaller model that is still ahead does not contradict it, one
    # whose lead grows with compute does.
    away = any(not g.tie and g.value < 0 and not h.tie and h.value < 0
               for g, h in zip(gains, growths, strict=True))  # fmt: skip
    return (CONTRADICTED if away else UNDECIDED), words


def _pairs(n: int) -> str:
    return f"{n} pair{'' if n == 1 else 's'}"


def _xl_crossing(e: Evidence) -> tuple[str, str]:
    if not len(e.finished) or "size" not in e.finished:
        return nothing(_NO_CURVES)
    theirs = (e.finished["size"] == "XL") & (e.finished["family"] == "DiT")
    theirs &= (
        e.finished["image_size"] == 256
    )  # a compute in Gflops is of the paper's networks alone
    found = crossings(e.finished[theirs.fillna(False).astype(bool)], e.metric, "patch_size")
    found = found[found["smaller"].str.contains("/4") & found["larger"].str.contains("/2")]
    if not len(found):
        return nothing("no curves of XL/4 and XL/2 over common training compute")
    row = found.iloc[0]
    at = "no crossing" if math.isnan(row["compute"]) else f"{row['compute']:.2g} Gflops"
    words = f"{row['seen']}: {at} ({row['low']:.2g} to {row['high']:.2g})"
    roughly = row["low"] >= 3e9 and row["high"] <= 3e10  # "roughly 10^10", fixed beforehand
    apart = row["low"] > 3e10 or row["high"] < 3e9
    return (SUPPORTED if roughly else CONTRADICTED if apart else UNDECIDED), words


def _sampling(e: Evidence) -> tuple[str, str]:
    if e.published:
        ours, theirs = (paper.claim(f"sampling-{m}-fid10k") for m in ("xl2-128", "l2-1000"))
        costs = [paper.claim(f"sampling-{m}-tflops") for m in ("xl2-128", "l2-1000")]
        words = f"one pair: {ours} at {costs[0]} Tflops against {theirs} at {costs[1]}"
        return (AGREES if ours < theirs else DISAGREES), words
    if not len(e.sweep):
        return nothing("no sweep over sampling steps")
    pairs = compare_pairs(e.sweep, e.metric)
    ahead = list(pairs["ahead"])
    if not ahead:
        return nothing("no two sizes of one patch with common sampling compute")
    words = (
        f"of {_pairs(len(ahead))} the larger ahead in {ahead.count('larger')}, the smaller in "
        f"{ahead.count('smaller')}, {ahead.count('undecided')} undecided (Holm)"
    )
    if "smaller" in ahead:
        return CONTRADICTED, words
    return (SUPPORTED if set(ahead) == {"larger"} else UNDECIDED), words


_DECIDED_BY: dict[str, Callable[[Evidence], tuple[str, str]]] = {
    "adaln-zero-best": _block_quality(None),
    "adaln-zero-half": _half,
    "adaln-zero-cheapest": _cheapest,
    "initialisation": _block_quality(("adaln",)),
    "size-helps": _forward("size"),
    "patch-helps": _forward("patch_size"),
    "gflops-not-params": _gflops_not_params,
    "similar-gflops-similar-fid": _similar,
    "strong-correlation": _correlated,
    "larger-train-efficient": _train_efficient,
    "xl4-xl2-crossing": _xl_crossing,
    "sampling-cannot-compensate": _sampling,
    "other-metrics": metrics.other_metrics,
    "is-precision-most": metrics.benefit_most,
    "loss-falls-faster": metrics.loss,
    "guidance-sota": published.sota,
    "recall-over-ldm": published.recall,
    "decoder-small": published.decoder,
    "xl2-512": published.at_512,
    "compute-efficient-latent": published.latent,
}

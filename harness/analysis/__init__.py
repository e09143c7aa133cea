"""From records to conclusions: pure functions of arrays and pandas frames, no files, no plotting.

The frames are those of `load_results` (columns: harness.store.tables), or made from them by
harness.analysis.selection (one row per label: `label`, `gflops`, `value`, `std`, ...). Missing
stays missing: a null or non-finite value is left out and counted, never replaced. Columns that
older records lack (`std_df`, `std_method`, ...) may be absent: a standard error without degrees of
freedom is taken as known. numpy, scipy and pandas alone are imported, and only when a function is
used.

The rooms (each function's docstring has columns, units and source):

    intervals     Interval(value, low, high); Difference(value, std, df, p, interval).tie
                  difference(a, b, std_a, std_b, df_a, df_b, covariance=0, confidence=.95) ->
                      Difference
                  corrected(differences) -> the same, Holm's intervals;  holm(p);  holm_levels(p,
                      alpha)
    digits        decimals(half_width) -> int;  rounded(Interval) -> (value, low, high) texts
                  apart(values) -> texts with the fewest digits that keep unequal values apart
    ranking       best(values, std, df=None, higher=False) -> array of bool: not told from the best
                  ranks(values, std, df=None, higher=False) -> frame: rank, low, high (Holm over
                      pairs)
    law           why_no_law(compute, values) -> str | None
                  scaling_law(compute, values, std=None, confidence=.95, *, common_std=None,
                      huber=False)
                      -> ScalingLaw: .offset .scale .exponent (Interval) .identifiable .tau .models
                         .preferred ("offset" | "power") .aicc .power_law (PowerFit: scale,
                      exponent,
                         aicc) .left_out (LeftOut: compute, measured, predicted, error)
                      .compute_range
                         .predict(compute, new=False) -> Interval;  .band(computes, new=False) ->
                      frame
                         (compute, value, low, high);  .above_floor(floor, floor_std=0) -> Interval
    correlations  correlation(compute, values, std=None, confidence=.95, *, std_df=None,
                      shared=None) -> Correlations: .pearson
                      .spearman (over models) .measured_pearson .measured_spearman (over
                      measurements)
                      .models .p_value
                  compare_correlations(compute, first, second) -> Interval of the difference
                  regression(log_values, columns) -> Regression: .coefficients {name: Interval} .r2
    sampling      compare_pairs(sweep, metric, pairs="all", correlation=None) -> frame, one row
                      per pair (ratio, ratio_low, ratio_high, p_holm, ahead, basis); share_ahead
                  headline_pair(sweep, metric, ...) -> HeadlinePair | None
                      (.saving .ratio .difference Interval; sweep: selection.sampling_sweep_rows)
    factors       axes(rows) -> Axes(compute, factors, replicates);  with_recipe(rows)
                  factor_effects(rows, factor, metric) -> frame;  paired -> Pairs
                  choose(rows, factor, metric, on=None) -> Choices, valued on other samples
    halves        halves(rows, by, on=None) -> Halves | None: .best(higher) of some samples,
                      .means() of the others
    alternatives  alternatives(metrics, metric) -> frame: trainings that cost the same, the best
                      of each budget chosen on other samples than those of its value
    interactions  interaction(rows, factor, first, second) -> Interaction: .slope .crossing
    power         smallest_difference(spread, replicates, models=1, comparisons=1) -> float
    isoflop       surface(gflops, images, values, std=None) -> Surface: .exponent .optimum(budget)
    crossings     at_budgets(curves, budgets, metric) -> frame with `best`
                  last_common(curves, metric) -> the larger's lead at equal compute, per neighbours
                  crossings(curves, metric, along="size") -> frame: compute, low, high
    learned       learned(values, std, ceiling, ceiling_std, ...) -> array of True, False, None
                  with_and_without(frame, function) -> (of all, of those that learned or None)
    selection     final_quality and the like: `std` spread over seeds; `se`, `se_df`, `basis` the
                  standard error;  sampling_sweep_rows;  errors(frame);  series(frame, along)
    limits        floor_beside(metrics, metric, protocol) and ceiling_beside -> Limit: .value
                      .images .noise;  floor(metrics, metric) -> float | None

    harness.paper.claims   decide(id, evidence) -> Verdict;  decide_all(evidence)
    harness.paper.evidence evidence(metrics, training=None) and papers_evidence() -> Evidence
"""

from __future__ import annotations

import importlib
from typing import Any

_LAZY = {
    "load_results": "harness.results",
    "primary_metric": "harness.analysis.metrics",
    "kind": "harness.analysis.metrics",
    "title": "harness.analysis.metrics",
    "short_title": "harness.analysis.metrics",
    "higher_is_better": "harness.analysis.metrics",
    "Protocol": "harness.analysis.selection",
    "measured": "harness.analysis.selection",
    "labelled": "harness.analysis.selection",
    "final_quality": "harness.analysis.selection",
    "over_training": "harness.analysis.selection",
    "sampling_sweep": "harness.analysis.selection",
    "floor": "harness.analysis.limits",
    "Interval": "harness.analysis.intervals",
    "Difference": "harness.analysis.intervals",
    "difference": "harness.analysis.intervals",
    "corrected": "harness.analysis.intervals",
    "ScalingLaw": "harness.analysis.law",
    "scaling_law": "harness.analysis.law",
    "why_no_law": "harness.analysis.law",
    "Correlations": "harness.analysis.correlations",
    "correlation": "harness.analysis.correlations",
    "compare_correlations": "harness.analysis.correlations",
    "regression": "harness.analysis.correlations",
    "best": "harness.analysis.ranking",
    "ranks": "harness.analysis.ranking",
    "frontier": "harness.analysis.compute",
    "headline_pair": "harness.analysis.sampling",
    "HeadlinePair": "harness.analysis.sampling",
    "compare_pairs": "harness.analysis.sampling",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)

"""Crossings of training curves, with intervals that hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.crossings import at_budgets, crossings, last_common
from harness.store import influences

BUDGETS = np.geomspace(1e3, 1e6, 8)
TRUE = 3e4


def curves(noise=0.0, rng=None, std=0.03):
    """Two straight lines in log-log that cross at TRUE: the larger model starts worse."""
    rows = []
    for label, gflops, slope in (("S/4", 1.4, -0.2), ("B/4", 5.6, -0.4)):
        value = 80 * (BUDGETS / TRUE) ** slope
        if rng is not None:
            value = value * np.exp(noise * rng.normal(size=len(value)))
        rows.append(pd.DataFrame({"label": label, "gflops": gflops, "patch_size": 4,
                                  "train_gflops": BUDGETS, "value": value}))  # fmt: skip
    frame = pd.concat(rows, ignore_index=True)
    return frame if std is None else frame.assign(std=std * frame["value"])


def test_a_crossing_is_found_where_it_is():
    (row,) = crossings(curves(), "fid").to_dict("records")
    assert (row["smaller"], row["larger"], row["seen"]) == ("S/4", "B/4", "crossing")
    assert row["compute"] == pytest.approx(TRUE, rel=1e-3)
    assert 1e3 < row["low"] < TRUE < row["high"] < 1e6
    (bare,) = crossings(curves(std=None), "fid").to_dict("records")
    assert (bare["low"], bare["high"]) == (0, math.inf)


def test_one_spread_of_few_seeds_counts_its_degrees_of_freedom_once():
    """The interval is that of twice the degrees, were they of two estimates."""
    one = curves(std=None).assign(se=lambda f: 0.05 * f["value"], se_df=3.0, basis="seeds")
    apart = one.assign(basis="checkpoints")
    rows = [crossings(frame, "fid").iloc[0] for frame in (one, apart, apart.assign(se_df=1.5))]
    few, many, half = (math.log(row["high"] / row["low"]) for row in rows)
    assert few > 1.1 * many and few == pytest.approx(half)


@pytest.mark.slow
def test_its_interval_holds_the_truth():
    rng, draws = np.random.default_rng(0), 100
    found = [crossings(curves(0.03, rng), "fid").iloc[0] for _ in range(draws)]
    held = sum(f["low"] <= TRUE <= f["high"] for f in found)
    assert stats.binom.cdf(held, draws, 0.95) > 1e-3


def test_no_crossing_is_said_and_bounded_on_its_side():
    ahead = curves()
    ahead.loc[ahead.label == "B/4", "value"] *= 0.1
    (row,) = crossings(ahead, "fid").to_dict("records")
    assert row["seen"] == "larger ahead throughout" and math.isnan(row["compute"])
    assert row["low"] == 0 and row["high"] == pytest.approx(1e3)
    (row,) = crossings(ahead, "inception_score").to_dict("records")
    assert row["seen"] == "smaller ahead throughout"
    assert row["low"] == pytest.approx(1e6) and math.isinf(row["high"])
    assert len(crossings(ahead.iloc[:0], "fid")) == 0


def test_the_best_at_a_budget_may_be_a_tie():
    found = at_budgets(curves(), np.array([1e3, TRUE, 1e6, 1e9]), "fid")
    assert found.groupby("budget")["best"].sum().tolist() == [1, 2, 1]
    assert found[found.budget == TRUE]["value"].tolist() == pytest.approx([80, 80])
    assert found[found.best & (found.budget == 1e6)]["label"].tolist() == ["B/4"]


def test_the_larger_is_compared_where_both_were_measured_last():
    (end,) = last_common(curves(), "fid")
    assert (end.smaller, end.larger) == ("S/4", "B/4") and end.compute == pytest.approx(1e6)
    assert end.gain.value == pytest.approx(0.2 * math.log(1e6 / TRUE)) and not end.gain.tie
    assert end.growth.value == pytest.approx(0.2 * math.log(1e3))
    assert end.gain.std == pytest.approx(0.03 * math.sqrt(2))
    (turned,) = last_common(curves(), "inception_score")
    assert turned.gain.value == pytest.approx(-end.gain.value)
    apart = curves().query("label == 'S/4' or train_gflops > 5e5")
    assert last_common(apart, "fid") == []  # one milestone is no curve


def of_same_draws(rows: pd.DataFrame, shared: float, rng) -> pd.DataFrame:
    """`rows` with errors that all have in common to `shared`, and the influences that tell so."""
    common = rng.normal(size=32) * np.sqrt(32)
    out = []
    for row in rows.to_dict("records"):
        own = rng.normal(size=32) * np.sqrt(32)
        moved = (math.sqrt(shared) * common + math.sqrt(1 - shared) * own) * row["std"]
        # The value errs by what the groups have on average.
        value = row["value"] + moved.mean()
        moves = influences.written(moved - moved.mean())
        out.append({**row, "value": value, "influence": moves, "draws": "0/500", "std_df": 19.0})
    return pd.DataFrame(out)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.5, 0.95])
def test_what_models_share_makes_crossings_surer_and_still_true(shared: float) -> None:
    rng, draws, held, ends, told = np.random.default_rng(1), 40, 0, 0, []
    gap = last_common(curves(), "fid")[0].gain.value
    for _ in range(draws):
        rows = of_same_draws(curves(std=0.05), shared, rng)
        found = crossings(rows, "fid").iloc[0]
        blind = crossings(rows.drop(columns="influence"), "fid").iloc[0]
        held += found["low"] <= TRUE <= found["high"]
        told.append(math.log(found["high"] / found["low"]) / math.log(blind["high"] / blind["low"]))
        ends += gap in last_common(rows, "fid")[0].gain.interval
    assert min(stats.binom.cdf(n, draws, 0.95) for n in (held, ends)) > 1e-3
    assert (np.median(told) < 0.5) if shared > 0.9 else (np.median(told) < 1.1)


def test_the_best_at_a_budget_is_told_by_what_models_share() -> None:
    rng = np.random.default_rng(2)
    rows = of_same_draws(curves(std=0.2), 0.99, rng)
    budgets = np.array([2e5])
    assert at_budgets(rows, budgets, "fid")["best"].tolist() == [False, True]
    assert at_budgets(rows.drop(columns="influence"), budgets, "fid")["best"].all()

"""The section on the best size per budget: a surface that holds, or the reason for none."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.analysis import isoflop as law
from harness.report.sections.isoflop import (
    BUDGETS,
    _table,
    budgets_of,
    inside,
    misfit,
    points,
    sentences,
    unlawful,
)

SIZES = np.array([1.0, 3.0, 10.0, 30.0, 100.0])


def truth(gflops, images):
    return 2.0 + 30 * gflops**-0.5 + 4000 * images**-0.5


def curves(**columns) -> pd.DataFrame:
    grid = [(g, n) for g in SIZES for n in (1e4, 1e5, 1e6)]
    rows = pd.DataFrame(grid, columns=["gflops", "n"])
    return rows.assign(
        train_gflops=law.FACTOR * rows["gflops"] * rows["n"],
        value=truth(rows["gflops"], rows["n"]), learned=None, **columns,
    )  # fmt: skip


def test_images_follow_from_compute_and_what_did_not_learn_is_left_out() -> None:
    rows = curves()
    rows["learned"] = pd.Series([False, *[True] * 13, None], dtype=object)
    kept = points(rows)
    assert len(kept) == 14
    np.testing.assert_allclose(kept["images"], kept["n"])


def test_budgets_are_where_three_sizes_were_measured() -> None:
    rows = curves()
    budgets = budgets_of(rows)
    assert len(budgets) == BUDGETS and np.allclose(np.diff(np.log(budgets), 2), 0)
    spans = rows.groupby("gflops")["train_gflops"].agg(["min", "max"])
    for budget in (budgets[0], budgets[-1]):
        covered = (spans["min"] <= budget * 1.001) & (spans["max"] >= budget * 0.999)
        assert covered.sum() >= 3
    assert inside(rows, 10.0) and not inside(rows, 0.5)


def test_the_misfit_is_the_root_mean_square_of_logarithms() -> None:
    rows = points(curves())
    fitted = law.surface(rows["gflops"], rows["images"], rows["value"], 0.01 * rows["value"])
    assert misfit(fitted, rows) < 0.01
    assert misfit(fitted, rows.assign(value=rows["value"] * 1.5)) == pytest.approx(
        math.log(1.5), rel=0.02
    )


@pytest.mark.slow
@pytest.mark.parametrize(("largest", "beyond"), [(100.0, 0), (10.0, 2), (0.5, 4)])
def test_a_best_size_beyond_those_measured_is_called_extrapolated(largest, beyond) -> None:
    """F = (30 / 4000)^2 D at the best size of `truth`, so F^2 of it is that much of a budget."""
    rows = points(curves())
    fitted = law.surface(rows["gflops"], rows["images"], rows["value"], 0.01 * rows["value"])
    best = (1.5, 4.0, 20.0, 50.0)
    budgets = [law.FACTOR * size**2 * (4000 / 30) ** 2 for size in best]
    np.testing.assert_allclose([fitted.optimum(b).value for b in budgets], best, rtol=0.02)
    kept = rows[rows["gflops"] <= max(largest, 1.0)]
    said_of = f"At {beyond} of 4 budgets the best size lies beyond those measured"
    assert any(said_of in str(span) for span in sentences(fitted, kept, budgets)) == bool(beyond)
    measured = [row[4] for row in _table(fitted, kept, budgets).rows]
    assert measured.count("beyond the sizes measured") == beyond
    assert measured.count("") == 4 - beyond


def test_a_surface_that_misses_says_by_which_factor() -> None:
    assert "by a factor of 1.6 (root mean square" in str(unlawful(math.log(1.6)).spans)


def report(make, change=lambda rows: rows["value"], **shape):
    found = make.frames(**{
        "sizes": ("S", "B", "L", "XL"), "patches": (2,), "sweep": (),
        "milestones": (100, 1000, 10_000), **shape,
    })  # fmt: skip
    rows = found["metrics"]
    mine = (rows["metric"] == "fd_glyphs_cnn") & (rows["of"] == "samples")
    rows.loc[mine, "value"] = change(rows[mine]).astype(float)
    rows["std"] = 0.01 * rows["value"].astype(float)
    return make.report(found, ("isoflop",), samples={})


def lawful(rows):
    g, n = rows["gflops"].astype(float), rows["step"].astype(float) * 64
    return 1 + 0.2 * g**-0.6 + 300 * n**-0.6


@pytest.mark.slow
def test_a_surface_gives_a_best_size_for_every_budget(make) -> None:
    made = report(make, lawful)
    table = cells_of(made, "tab-isoflop")
    assert len(table["rows"]) == BUDGETS
    assert "grow as the budget to the power" in said(made)


@pytest.mark.slow
def test_values_that_follow_no_law_give_no_best_size(make) -> None:
    def wild(rows):
        rng = np.random.default_rng(0)
        return pd.Series(np.exp(rng.normal(3, 1.0, len(rows))), index=rows.index)

    text = said(report(make, wild))
    assert "No best size is claimed." in text or "No surface is fitted" in text


@pytest.mark.slow
def test_what_cannot_be_fitted_says_why(make) -> None:
    assert "not measured at more than one training step" in said(report(make, milestones=(100,)))
    blocks = report(make, lawful, blocks=("adaln-zero", "adaln"))
    assert "differ in more than size and length" in said(blocks)

"""The best size per budget: fitted lines through their own least, open where it is beyond."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawings import lines

from harness.analysis import isoflop as law
from harness.report.figures.isoflop import isoflop

SIZES = np.array([1.0, 3.0, 10.0, 30.0, 100.0])


def truth(gflops, images):
    return 2.0 + 30 * gflops**-0.5 + 4000 * images**-0.5


def made() -> tuple[pd.DataFrame, law.Surface]:
    grid = [(g, n) for g in SIZES for n in (1e4, 1e5, 1e6, 1e7)]
    rows = pd.DataFrame(grid, columns=["gflops", "images"])
    rows["value"] = truth(rows["gflops"], rows["images"])
    rows["train_gflops"] = law.FACTOR * rows["gflops"] * rows["images"]
    rows = rows.assign(label="m", low=0.99 * rows["value"], high=1.01 * rows["value"], step=1)
    fitted = law.surface(rows["gflops"], rows["images"], rows["value"], 0.01 * rows["value"])
    return rows, fitted


def test_each_budget_is_a_line_with_a_cross_at_its_least() -> None:
    rows, surface = made()
    budgets = [1e7, 1e8]
    drawing = isoflop(rows, surface, budgets, "FID")
    (axes,) = drawing.figure.axes
    curves = [line for line in lines(axes) if len(line[0]) == 60]
    crosses = [line for line in axes.get_lines() if line.get_marker() == "X"]
    assert len(curves) == len(crosses) == 2
    for (x, y), cross, budget in zip(curves, crosses, budgets, strict=True):
        images = budget / (law.FACTOR * np.array(x))
        np.testing.assert_allclose(y, truth(np.array(x), images), rtol=0.02)
        assert cross.get_ydata()[0] <= min(y) * 1.001
        assert f"{budget:.0e}"[0] in drawing.alt


@pytest.mark.slow
def test_a_best_size_beyond_those_measured_is_open_at_the_edge() -> None:
    rows, surface = made()
    drawing = isoflop(rows, surface, [1e3, 1e8], "FID")
    beyond, inside = [
        line for line in drawing.figure.axes[0].get_lines() if line.get_marker() == "X"
    ]
    assert surface.optimum(1e3).value < SIZES[0]
    assert beyond.get_markerfacecolor() == "white" and beyond.get_xdata()[0] == SIZES[0]
    assert inside.get_markerfacecolor() != "white"


@pytest.mark.slow
def test_its_numbers_are_the_checkpoints() -> None:
    rows, surface = made()
    drawing = isoflop(rows, surface, [1e8], "FID")
    assert len(drawing.data) == len(rows) and "train_gflops" in drawing.data

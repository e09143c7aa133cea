"""Effects of factors: against compute where it differs, else level by level, one line at 1."""

from __future__ import annotations

import math

import pandas as pd
from drawings import hover, lines

from harness.report.figures.factors import PANELS, effects


def point(factor="dropout", level="0", model="S", gflops=1.4, ratio=0.8, **more) -> dict:
    return {
        "factor": factor, "level": level, "against": "0.1", "model": model, "gflops": gflops,
        "ratio": ratio, "low": 0.9 * ratio, "high": 1.1 * ratio, **more,
    }  # fmt: skip


def test_an_effect_that_changes_with_scale_is_a_slope() -> None:
    points = pd.DataFrame(
        [point(model=m, gflops=g, ratio=r) for m, g, r in (("B", 5.6, 0.9), ("S", 1.4, 0.8))]
    )
    drawing = effects(points, "FID (x)")
    (axes,) = drawing.figure.axes
    assert axes.get_title(loc="left") == "dropout: over 0.1"
    slope = next(line for line in lines(axes) if line[0] == [1.4, 5.6])
    assert slope[1] == [0.8, 0.9]
    assert axes.get_ylabel() == "ratio of FID" and axes.get_xlabel() == "model Gflops"
    assert axes.get_ylim()[0] < 1 < axes.get_ylim()[1]
    assert hover(drawing.figure) == ["S, 0: 0.8", "B, 0: 0.9"]


def test_of_one_model_the_levels_stand_side_by_side() -> None:
    points = pd.DataFrame([point(level=name, ratio=r) for name, r in (("0", 0.8), ("0.5", 1.3))])
    (axes,) = effects(points, "FID").figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "0.5"]
    assert len(hover(effects(points, "FID").figure)) == 2


def test_intervals_that_are_not_known_have_no_bar() -> None:
    bar, none = (
        sum(len(set(x)) == 1 for x, _ in lines(effects(pd.DataFrame([p]), "FID").figure.axes[0]))
        for p in (point(), point(low=math.nan, high=math.nan))
    )
    assert bar == none + 1


def test_a_panel_per_factor_and_all_numbers_in_the_csv() -> None:
    points = pd.DataFrame([point(factor=f"setting {k}") for k in range(PANELS + 2)])
    drawing = effects(points, "FID")
    assert len(drawing.figure.axes) == PANELS and len(drawing.data) == PANELS + 2
    assert "setting 10 0 over 0.1, S: 0.8" in drawing.alt

"""Figures 8 and 12: what each panel holds, and the numbers that go into the CSV."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawings import MODELS, hover, legend, lines, over, rows

from harness.report.figures import marks
from harness.report.figures.scaling import gflops, metrics, ratios


class Law:
    """q = 60 C^-0.3 with a band of a fifth."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def band(self, compute):
        self.asked += list(compute)
        value = 60 * np.asarray(compute) ** -0.3
        return pd.DataFrame(
            {"compute": compute, "value": value, "low": 0.8 * value, "high": 1.2 * value}
        )


def titles(drawing) -> list[str]:
    return [axes.get_title(loc="left") for axes in drawing.figure.axes]


@pytest.mark.slow
def test_six_models_of_two_patch_sizes_have_the_papers_panels() -> None:
    models = [*MODELS, ("XL", 2, 118.0)]
    drawing = gflops(rows(models), "FID")
    assert titles(drawing) == ["", "parameters", "patch size 4", "patch size 2"]
    assert [a.get_xscale() for a in drawing.figure.axes] == ["log"] * 4
    assert len(titles(gflops(rows(models), "FID", by_patch=False))) == 1
    assert titles(gflops(rows(MODELS), "FID")) == [""]  # five are too few to be divided


@pytest.mark.slow
def test_the_law_is_drawn_in_gflops_between_the_models_alone() -> None:
    law = Law()
    drawing = gflops(rows(), "FID", laws={"": law})
    assert min(law.asked) == 1.4 and max(law.asked) == 29.0
    (axes,) = drawing.figure.axes
    x, y = max(lines(axes), key=lambda line: len(line[0]))
    np.testing.assert_allclose(y, 60 * np.array(x) ** -0.3)


@pytest.mark.slow
def test_micro_models_are_in_mflops_and_their_law_too() -> None:
    law = Law()
    tiny = [(s, p, g / 1e4) for s, p, g in MODELS]
    drawing = gflops(rows(tiny), "FID", laws={"": law})
    assert max(law.asked) == 29.0 / 1e4  # the law is asked in Gflops, whatever the axis says
    assert drawing.figure.axes[0].get_xlabel() == "model Mflops per forward pass"
    assert "Mflops" in drawing.alt and hover(drawing.figure)[0].endswith("0.140 Mflops")


@pytest.mark.slow
def test_settings_that_do_not_compare_have_panels_of_their_own() -> None:
    both = pd.concat([rows(group="lr 1"), rows(group="lr 2")], ignore_index=True)
    assert titles(gflops(both, "FID")) == ["lr 1", "lr 2"]
    many = pd.concat([rows(group=f"lr {k}") for k in range(9)], ignore_index=True)
    drawing = gflops(many, "FID")
    assert len(drawing.figure.axes) == 8 and len(drawing.data) == len(many)  # the CSV has all


@pytest.mark.slow
def test_anothers_numbers_are_beside_or_among_ours_and_not_in_the_words() -> None:
    theirs = rows(label=[f"paper {m}" for m in rows()["label"]], **{marks.OTHER: "the paper"})
    beside = gflops(rows(), "FID", beside=theirs, beside_title="the paper, 400K steps")
    assert titles(beside)[-1] == "the paper, 400K steps"
    assert beside.figure.axes[-1].get_ylabel() == "FID-50K"
    among = gflops(pd.concat([rows(), theirs], ignore_index=True), "FID")
    assert legend(among.figure)[-1] == "the paper"
    for drawing in (beside, among):
        assert len(drawing.data) == 10 and drawing.data[marks.OTHER].notna().sum() == 5
        assert "paper" not in drawing.alt and "DiT-S/4 1.40: " in drawing.alt


@pytest.mark.slow
def test_anothers_points_are_in_the_panel_of_their_setting_and_name_no_model_twice() -> None:
    one, two = rows(group="lr 1"), rows(group="lr 2")
    more = [*MODELS[:2], ("XL", 2, 118.0)]
    theirs = rows(more, group="lr 2", **{marks.OTHER: "Lab B"})
    drawn = gflops(pd.concat([one, two, theirs], ignore_index=True), "FID").figure
    opened = [
        sum(line.get_markerfacecolor() == "none" for line in axes.get_lines() if line.get_gid())
        for axes in drawn.axes
    ]
    assert opened == [0, 3] and legend(drawn)[-1] == "Lab B"
    drawn.draw_without_rendering()
    for axes, models in zip(drawn.axes, (MODELS, [*MODELS, more[-1]]), strict=True):
        named = [text.get_text() for text in axes.texts]
        assert len(named) == len(set(named)) and set(named) <= {f"{s}/{p}" for s, p, _ in models}
    assert "XL/2" in named  # theirs alone


@pytest.mark.slow
def test_where_the_papers_values_are_among_ours_the_last_panel_has_the_ratios() -> None:
    times = {"S": 1.0, "B": 4.0, "L": 14.0, "XL": 20.0}
    ours = rows([(s, p, n * least) for p, least in ((8, 0.1), (4, 1.0), (2, 4.0))
                 for s, n in times.items()])  # fmt: skip
    theirs = ours.assign(value=ours["value"] / 1.25, low=np.nan, high=np.nan)
    both = pd.concat([ours, theirs.assign(**{marks.OTHER: "the paper"})], ignore_index=True)
    over = ratios(both)
    np.testing.assert_allclose(over["value"].astype(float), 1.25)
    np.testing.assert_allclose(over[["low", "high"]].astype(float), [[1.125, 1.375]] * 12)
    drawing = gflops(both, "FID", over=over)
    assert titles(drawing) == ["", "parameters", "patch size 8", "patch size 4", "patch size 2",
                               "ours over the paper's"]  # fmt: skip
    panel = drawing.figure.axes[-1]
    assert panel.get_ylim()[0] < 1 < 1.375 < panel.get_ylim()[1]
    assert drawing.data["ratio"].dropna().tolist() == pytest.approx([1.25] * 12)
    assert drawing.data[drawing.data["ratio"].notna()][marks.OTHER].isna().all()
    assert "Ours over the paper's: DiT-S/8 1.25" in drawing.alt


def test_ratios_are_of_the_same_models_and_of_one_other() -> None:
    theirs = rows(MODELS[:2], **{marks.OTHER: "the paper"})
    one = pd.concat([rows(), theirs], ignore_index=True)
    assert ratios(one)["label"].tolist() == ["DiT-S/4", "DiT-S/2"]
    assert not len(ratios(rows()))
    lab = rows(MODELS[:2], **{marks.OTHER: "a lab"})
    assert not len(ratios(pd.concat([one, lab], ignore_index=True)))


@pytest.mark.slow
def test_models_of_unknown_parameters_are_left_out_of_that_panel_alone() -> None:
    models = [*MODELS, ("XL", 2, 118.0)]
    some = rows(models)
    some["params"] = some["params"].mask(some["label"] == "DiT-XL/2")
    first, second, *_ = gflops(some, "FID").figure.axes
    points = [
        sum(line.get_marker() in "so^" for line in axes.get_lines() if line.get_gid())
        for axes in (first, second)
    ]
    assert points[0] - points[1] == 1


@pytest.mark.slow
def test_every_metric_has_its_panel_above_and_over_training_below() -> None:
    ends = rows(over="end")
    curves = over("train_gflops", [1e3, 1e4], over="training")
    both = pd.concat([ends, curves], ignore_index=True)
    drawing = metrics([("FID ↓", both, 2.0), ("Prec. ↑", both, None)])
    assert titles(drawing) == ["FID ↓", "Prec. ↑", "", ""]
    assert len(lines(drawing.figure.axes[2])) == len(MODELS)
    assert set(drawing.data["metric"]) == {"FID ↓", "Prec. ↑"}
    assert len(drawing.data) == 2 * len(both)
    assert len(metrics([("FID ↓", ends, None)]).figure.axes) == 1

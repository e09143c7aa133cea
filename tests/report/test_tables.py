"""What tables share: how values differ, whole numbers, floors in captions."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis import metrics
from harness.report import tables
from harness.report.blocks import Cell, plain
from harness.report.findings import find
from harness.report.wording import DASH


def rows(**columns) -> pd.DataFrame:
    return pd.DataFrame({**{c: [None, None] for c in tables._PROTOCOL_WORDS}, **columns})


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("guidance_scale", 1.5, "guidance 1.5"),
        ("guidance_channels", 3.0, "3 channels"),
        ("guidance_low", 100.0, "from timestep 100"),  # once a crash of the whole report
        ("guidance_low", 0.25, "from timestep 0.25"),
        ("guidance_high", 900.0, "to 900"),
        ("sampler", "ddim", "ddim"),
        ("sampling_steps", 50, "50 sampling steps"),
        ("samples", 1000.0, "1000 samples"),
        ("eta", 0.0, "eta 0"),
        ("decoder", "ft-ema", "decoder ft-ema"),
        ("split_size", 500.0, "chunks of 500"),
    ],
)
def test_every_difference_of_protocol_has_words(column: str, value: object, said: str) -> None:
    among = rows(**{column: [None, value]})
    assert tables.differences(among.iloc[1].to_dict(), among, ()) == [said]
    assert tables.differences(among.iloc[0].to_dict(), among, ()) == []
    assert tables.differences(among.iloc[1].to_dict(), among, (column,)) == []


def test_what_all_share_is_no_difference() -> None:
    among = rows(sampler=["ddim", "ddim"], samples=[10, 10])
    assert tables.differences(among.iloc[0].to_dict(), among, ()) == []


def test_whole_numbers_lose_the_point_that_nulls_gave_them() -> None:
    assert [tables.said(v) for v in (3.0, 3, 3.5, "a", True)] == ["3", "3", "3.5", "a", "True"]
    assert [tables.whole(v) for v in (1234.0, None, pd.NA, float("nan"))] == ["1,234", *[DASH] * 3]
    assert tables.over(5, 10) == 0.5 and tables.over(None, 10) is tables.over(pd.NA, 10) is None


@pytest.mark.slow
def test_metrics_are_of_one_extractor_in_the_tables_order(make) -> None:
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,))
    other = found["metrics"].assign(metric="fd_clip")
    found["metrics"] = pd.concat([found["metrics"], other.iloc[:1]], ignore_index=True)
    names = tables.metrics_of(find(make.report(found, ("models",))))
    assert names == [f"{kind}_glyphs_cnn" for kind in list(metrics.known())[:5]]


@pytest.mark.slow
def test_distances_on_other_features_are_named_for_them(make) -> None:
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,))
    rows = found["metrics"]
    others = [
        rows[rows["metric"] == f"{kind}_glyphs_cnn"].assign(metric=f"{kind}_dinov2", k=1)
        for kind in ("fd", "recall")
    ]
    others[0] = others[0][others[0]["of"] != "ceiling"].iloc[1:]  # of fewer: not the primary one
    found["metrics"] = pd.concat([rows, *others], ignore_index=True)
    given = find(make.report(found, ("models",)))
    assert given.metric == "fd_glyphs_cnn"
    assert tables.on_other_features(given) == ["fd_dinov2"]
    assert tables.head(given, "fd_dinov2") == "FD (dinov2)"
    assert tables.head(given, "fd_glyphs_cnn") == "FD"
    assert tables.head(given, "fid") == "FID (inception-2015)"
    assert len(tables.alike(given, "fd_dinov2")) == 1
    said = plain(tables.floors(given, ["fd_glyphs_cnn", "fd_dinov2"]))
    assert "FD 0.900, FD (dinov2) 0.900" in said


@pytest.mark.slow
def test_a_metric_that_somebody_brought_stands_behind_ours(make, monkeypatch) -> None:
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,))
    mine = found["metrics"][found["metrics"]["metric"] == "recall_glyphs_cnn"]
    mine = mine.assign(metric="likeness_glyphs_cnn")
    found["metrics"] = pd.concat([mine, found["metrics"]], ignore_index=True)
    report = make.report(found, ("models",))
    assert "likeness_glyphs_cnn" not in tables.metrics_of(
        find(report)
    )  # nobody knows its direction

    class Likeness:
        name, title, short_title, better, on_inception = "likeness", "x", "Like", "higher", None

    ours = metrics.known()
    monkeypatch.setattr(metrics, "known", lambda: {**ours, "likeness": Likeness})
    assert tables.metrics_of(find(report))[-1] == "likeness_glyphs_cnn"


@pytest.mark.slow
def test_other_metrics_are_of_the_samples_that_are_compared(make) -> None:
    found = find(
        make.report(
            make.frames(sizes=("S", "B"), patches=(2,), milestones=(750, 1500)), ("models",)
        )
    )
    assert tables.alike(found, found.metric) is found.final
    recall = tables.alike(found, "recall_glyphs_cnn")
    assert recall["label"].tolist() == found.final["label"].tolist()
    rows = found.report.frames["metrics"]
    mine = rows[(rows["metric"] == "recall_glyphs_cnn") & (rows["samples"] == 1000)]
    mine = mine[(mine["step"] == 1500) & (mine["sampling_steps"] == 50)]
    assert sorted(recall["value"]) == pytest.approx(sorted(mine["value"].astype(float)))


@pytest.mark.slow
def test_floors_are_told_by_their_number_of_images(make) -> None:
    found = find(
        make.report(make.frames(sizes=("S", "B"), patches=(2,), milestones=(1500,)), ("models",))
    )
    names = tables.metrics_of(found)
    said = plain(tables.floors(found, names))
    assert said.startswith("Real images: FD 0.900, sFD 0.500, Class score 9.70, Prec. 0.930")
    assert plain(tables.floors(found, [])) == ""


def test_what_half_an_interval_is_is_said_where_one_stands() -> None:
    assert tables.half([["a", "8.1 ± 1.4"]]) == "± is half a 95% interval. "
    assert tables.half([["a", Cell("8.1 ± 1.4")]], ", so") == "± is half a 95% interval, so. "
    assert tables.half([["a", "8.1"], []]) == "" == tables.half([])


def test_a_class_score_is_defined_with_its_name_in_the_records() -> None:
    said = tables.class_scores(["fd_glyphs_cnn", "is_glyphs_cnn"])
    assert said.startswith("Class score (is_glyphs_cnn in the records): the Inception Score's")
    assert tables.class_scores(["fid", "inception_score"]) == tables.class_scores([]) == ""

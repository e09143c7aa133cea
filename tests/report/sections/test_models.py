"""The section on models (Table 3) and all metrics (Figure 12)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.blocks import plain
from harness.report.findings import find
from harness.report.papers import papers_report
from harness.report.sections.models import (
    _difference,
    listed_models,
    other_metrics,
)


def report(make, std=None, **shape):
    found = make.frames(**{"sweep": (), "milestones": (1500,), **shape})
    if std is not None:
        found["metrics"]["std"] = std * found["metrics"]["value"].astype(float)
    return make.report(found, ("models",), samples={})


@pytest.fixture
def undrawn(monkeypatch):
    """Without Figure 12, which takes the most time."""
    monkeypatch.setattr("harness.report.sections.models.other_metrics", lambda *_: [])


def names(table) -> list[str]:
    return [row[0] for row in table["rows"]]


def strong(table, column: int) -> list[str]:
    return [row[0] for row in table["rows"] if isinstance(row[column], dict)]


@pytest.mark.slow
def test_models_are_by_patch_size_and_gflops_with_a_rule_between(make, undrawn) -> None:
    table = cells_of(report(make, sizes=("XL", "S"), patches=(2, 8)), "tab-models")
    assert names(table) == [f"DiT-micro-{s}/{p}" for p in (8, 2) for s in ("S", "XL")]
    assert table["rules"] == [2]


@pytest.mark.slow
def test_the_best_and_its_ties_are_bold_where_errors_are_known(make, undrawn) -> None:
    shape = {"sizes": ("S", "B", "XL"), "patches": (2,)}
    head = cells_of(report(make, **shape), "tab-models")["head"][-1]
    column = head.index("FD ↓")
    assert strong(cells_of(report(make, **shape), "tab-models"), column) == []
    clear = cells_of(report(make, 1e-6, **shape), "tab-models")
    assert strong(clear, column) == ["DiT-micro-XL/2"]
    assert strong(clear, head.index("Prec. ↑")) == ["DiT-micro-XL/2"]  # there more is better
    # All of them tie: bold would say nothing.
    assert strong(cells_of(report(make, 10.0, **shape), "tab-models"), column) == []
    assert "no value is called best" in said(report(make, **shape))


@pytest.mark.slow
def test_a_distance_on_other_features_stands_beside_the_primary_ones(make, undrawn) -> None:
    found = make.frames(sizes=("S", "XL"), patches=(2,), sweep=(), milestones=(750, 1500))
    rows = found["metrics"]
    other = rows[rows["metric"] == "fd_glyphs_cnn"].assign(metric="fd_dinov2")
    other = other[other["step"] == 1500]  # at the end alone
    other["value"] = other["value"].astype(float) * 100
    found["metrics"] = pd.concat([rows, other], ignore_index=True)
    table = cells_of(make.report(found, ("models",), samples={}), "tab-models")
    head = table["head"][-1]
    ours, theirs = head.index("FD ↓"), head.index("FD (dinov2) ↓")
    assert theirs == head.index("Rec. ↑") + 1
    for row in table["rows"]:
        values = [float(row[c].split(" ")[0].replace(",", "")) for c in (ours, theirs)]
        assert values[1] == pytest.approx(100 * values[0], rel=0.05)


@pytest.mark.slow
def test_decoded_encodings_are_the_last_row(make, undrawn) -> None:
    found = make.frames(sizes=("S", "XL"), patches=(8, 2), sweep=(), milestones=(1500,))
    rows = found["metrics"]
    decoded = rows[rows["metric"] == "fd_glyphs_cnn"].iloc[:1].assign(of="reconstruction")
    decoded = pd.concat([decoded.assign(value=0.5), decoded.assign(metric="psnr", value=31.0)])
    found["metrics"] = pd.concat([rows, decoded], ignore_index=True)
    table = cells_of(make.report(found, ("models",), samples={}), "tab-models")
    head, last = table["head"][-1], table["rows"][-1]
    assert last[0] == "real images, decoded" and len(last) == len(head)
    assert last[head.index("FD ↓")] == "0.500" and last[head.index("Prec. ↑")] == "–"
    assert table["rules"] == [2, 4] and len(table["rows"]) == 5


@pytest.mark.slow
def test_networks_that_were_only_counted_are_listed_without_quality(make, undrawn) -> None:
    made = report(make, sizes=("S",), patches=(2,))
    counted = [*made.complexity, {
        "model": "DiT-XL/2", "block": "adaln-zero", "image_size": 256, "tokens": 256,
        "params": 675e6, "gflops": 118.64, "depth": 28, "width": 1152, "heads": 16,
    }, *make.unets()]  # fmt: skip
    rows = listed_models(find(dataclasses.replace(made, complexity=counted)))
    assert [r["label"] for r in rows] == ["DiT-micro-S/2", "DiT-XL/2"]  # U-Nets stand elsewhere
    assert (rows[1]["size"], rows[1]["patch_size"], rows[1]["family"]) == ("XL", 2, "DiT")
    table = cells_of(dataclasses.replace(made, complexity=counted), "tab-models")
    assert "–" in table["rows"][1]


@pytest.mark.slow
def test_models_that_did_not_learn_are_marked(make, undrawn) -> None:
    made = report(make, 1e-3, sizes=("S", "B", "XL"), patches=(2,))
    rows = made.frames["metrics"]
    worst = rows[(rows["metric"] == "fd_glyphs_cnn") & (rows["of"] == "samples")].nlargest(
        1, "value"
    )
    noise = worst.assign(of="ceiling", run=None, model=None, key="noise", std=None)
    frames = {**made.frames, "metrics": pd.concat([rows, noise], ignore_index=True)}
    made = dataclasses.replace(made, frames=frames)
    assert names(cells_of(made, "tab-models")) == [
        "DiT-micro-S/2 †", "DiT-micro-B/2", "DiT-micro-XL/2",
    ]  # fmt: skip
    assert "† not told from decoded noise." in said(made)


def test_a_difference_from_the_paper_has_our_interval() -> None:
    theirs = {"fid50k_no_guidance": 19.47}
    assert _difference({"value": 20.47, "low": 20.27, "high": 20.67}, theirs) == "+1.0 ± 0.2"
    assert _difference({"value": 18.47, "low": 18.27, "high": 18.67}, theirs) == "−1.0 ± 0.2"
    assert _difference({"value": None}, theirs) == _difference({"value": 1.0}, None) == "–"
    assert _difference({"value": 20.47, "low": np.nan, "high": np.nan}, theirs) == "+1.00"


@pytest.mark.slow
def test_figure_12_has_the_metrics_of_the_same_samples(make) -> None:
    names = ["fd_glyphs_cnn", "recall_glyphs_cnn"]
    three = find(report(make, sizes=("S", "B", "XL"), patches=(2,)))
    (figure,) = other_metrics(three, names)
    said = plain(figure.caption)
    assert "Pearson's correlation with log Gflops: FD −" in said and ", Rec. 0." in said
    assert set(figure.data["metric"]) == {"FD ↓", "Rec. ↑"}
    assert "Hollow" not in plain(figure.caption)
    failed = three.final.assign(learned=[False, *[True] * (len(three.final) - 1)])
    (figure,) = other_metrics(dataclasses.replace(three, final=failed), names)
    said = plain(figure.caption)
    assert "Hollow with a cross: not told from decoded noise by FD; " in said
    assert figure.data["learned"].isin([False]).any()
    assert other_metrics(three, names[:1]) == []  # Figure 8 has that one
    assert other_metrics(dataclasses.replace(three, references=2), names) == []
    two = find(report(make, sizes=("S", "B"), patches=(2,)))
    assert other_metrics(two, names) == []  # two models have no trend


@pytest.mark.slow
def test_nothing_to_list_says_so_and_the_papers_report_has_its_table(make) -> None:
    empty = make.report(make.frames(sizes=()), ("models",), complexity=(), samples={})
    assert "No model has been counted or measured yet." in said(empty)
    own = dataclasses.replace(papers_report(), sections=("models",))
    assert len(cells_of(own, "tab-models")["rows"]) == 19

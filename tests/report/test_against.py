"""Somebody else's numbers beside a study's, and the paper's as a report of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.errors import BadInput
from harness.report.against import differences, read
from harness.report.papers import papers_report


def test_a_csv_of_published_points_is_read_and_compared_with_intervals(make, tmp_path):
    path = tmp_path / "lab.csv"
    path.write_text("model,gflops,value,se\nDiT-micro-S/4,0.1,40.5,1.5\nDiT-micro-B/4,0.5,90,2\n")
    theirs = read(path, "fd_glyphs_cnn")
    assert theirs["size"].to_list() == ["S", "B"] and theirs["patch_size"].to_list() == [4, 4]
    ours = theirs.assign(value=[40.0, 60.0], se=[1.0, 1.0], se_df=[np.nan, np.nan])
    gaps = differences(ours, theirs).set_index("label")
    near, far = gaps.loc["DiT-micro-S/4"], gaps.loc["DiT-micro-B/4"]
    assert near["value"] == pytest.approx(-0.5) and near["tie"]
    assert near["high"] - near["value"] == pytest.approx(1.959964 * np.hypot(1.0, 1.5), rel=1e-3)
    assert far["value"] == pytest.approx(-30) and not far["tie"] and far["high"] < 0
    found = make.frames(sizes=("S", "B"), patches=(4,), sweep=())
    report = make.report(found, ("gflops",), against=theirs, against_label="Lab B")
    table = cells_of(report, "tab-against")
    assert table["head"][0][2] == "Lab B" and len(table["rows"]) == 2
    assert "Open markers: Lab B." in said(report)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as CSV"),
        ("a,b\n1,2\n", "no column model, gflops, value; there are a, b"),
        ("model,gflops,value\nx,1,2\ny,one,3\n", "line 3: gflops is not a finite number"),
        ("model,gflops,value\nx,1,\n", "line 2: value is not a finite number"),
        ("model,gflops,value\nx,1,inf\n", "value is not a finite number"),
    ],
)
def test_a_csv_that_is_not_one_is_refused_by_its_line(tmp_path, text, words):
    path = tmp_path / "lab.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read(path, "fid")
    with pytest.raises(BadInput, match="no results folder and no CSV"):
        read(tmp_path / "nothing", "fid")


def test_the_papers_report_says_what_the_paper_published_and_no_more():
    text = said(papers_report())
    assert "is −0.93 [−0.98, −0.76] over 12 checkpoints" in text
    assert "FID-10K 23.7 at 15.2 Tflops" in text and "25.9 at 80.7 Tflops" in text
    assert "the offset E is not told from 0" in text
    assert "It publishes no spread." in text and "The best is" not in text
    every = cells_of(papers_report(), "tab-models")["rows"]
    assert len(every) == 19  # all lengths of training, blocks and image sizes
    rows = {r[0]: r for r in every if r[1] == "256²" and r[3] == "adaln-zero" and r[6] == "400K"}
    assert rows["DiT-XL/2"][-1] == "19.47" and rows["DiT-S/8"][-1] == "153.60"


def test_each_reference_has_panels_of_its_own(make):
    """Values against two references never share an axis, nor are they averaged."""
    from harness.report.findings import find

    found = make.frames(sizes=("S", "B"), patches=(4,), sweep=())
    rows = found["metrics"]
    other = rows[rows["of"] == "samples"].assign(reference_sha256="9" * 64)
    other["value"] = other["value"] * 3
    found["metrics"] = pd.concat([rows, other], ignore_index=True)
    findings = find(make.report(found, ("gflops",)))
    assert findings.references == 2 and len(findings.groups) == 2
    by_group = findings.final.groupby("group")["value"].mean()
    assert by_group.max() / by_group.min() == pytest.approx(3)
    assert not findings.correlations and not findings.laws

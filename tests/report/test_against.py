"""Somebody else's numbers beside a study's, and the paper's as a report of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.errors import BadInput
from harness.report.against import differences, read
from harness.report.papers import papers_report

NOBODYS = pd.DataFrame()  # a CSV is compared as it is


@pytest.mark.slow
def test_a_csv_of_published_points_is_read_and_compared_with_intervals(make, tmp_path):
    path = tmp_path / "lab.csv"
    path.write_text("model,gflops,value,se\nDiT-micro-S/4,0.1,40.5,1.5\nDiT-micro-B/4,0.5,90,2\n")
    theirs = read(path, "fd_glyphs_cnn", NOBODYS)
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


def folder(make, monkeypatch, tmp_path, change):
    """(our metrics, a results folder whose metrics are ours after `change`)."""
    rows = make.frames(sizes=("S", "B"), patches=(4,), sweep=(4, 8))["metrics"]
    theirs = {"metrics": change(rows.copy())}
    monkeypatch.setattr("harness.store.records.read_frames", lambda source: theirs)
    return rows, tmp_path


@pytest.mark.slow
def test_of_a_folder_only_what_was_measured_alike_is_compared(make, monkeypatch, tmp_path):
    """Values of fewer samples, another step or other images were compared as if they were alike."""

    def more(rows):
        alike = rows.assign(value=rows["value"] + 1.0)
        fewer = rows.assign(samples=100, value=1e3, key=rows["key"] + "f")
        return pd.concat([alike, fewer], ignore_index=True)

    rows, source = folder(make, monkeypatch, tmp_path, more)
    from harness.analysis.selection import final_quality

    ours = final_quality(rows, "fd_glyphs_cnn").set_index("label")["value"]
    theirs = read(source, "fd_glyphs_cnn", rows).set_index("label")["value"]
    assert theirs.to_dict() == pytest.approx({k: v + 1 for k, v in ours.items()})


@pytest.mark.slow
def test_a_folder_that_varies_in_more_shares_the_models_all_the_same(make, monkeypatch, tmp_path):
    """Labels say what varies within a frame: another folder's said more, and none was shared."""

    def with_another_rate(rows):
        other = rows.assign(learning_rate=0.5, run=rows["run"] + "x", key=rows["key"] + "x")
        return pd.concat([rows, other], ignore_index=True)

    rows, source = folder(make, monkeypatch, tmp_path, with_another_rate)
    labels = set(read(source, "fd_glyphs_cnn", rows)["label"])
    assert {"DiT-micro-S/4", "DiT-micro-B/4"} < labels and len(labels) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("samples", 10, "none of its values of fd_glyphs_cnn was measured as this study's are: at"),
        ("step", 3, "none of its values"),
        ("reference_sha256", "9" * 64, "of other reference images or of other weights"),
        ("extractor_sha256", "9" * 64, "of other reference images or of other weights"),
        ("metric", "other", "has no value of fd_glyphs_cnn"),
    ],
)
def test_a_folder_that_does_not_compare_is_refused(
    make, monkeypatch, tmp_path, column, value, words
):
    rows, source = folder(make, monkeypatch, tmp_path, lambda rows: rows.assign(**{column: value}))
    with pytest.raises(BadInput, match=words):
        read(source, "fd_glyphs_cnn", rows)


@pytest.mark.slow
def test_a_report_without_that_section_has_it_for_what_is_asked(make):
    found = make.frames(sizes=("S", "B"), patches=(4,), sweep=())
    theirs = pd.DataFrame(
        {
            "label": ["DiT-micro-S/4"],
            "model": ["DiT-micro-S/4"],
            "size": ["S"],
            "patch_size": [4],
            "gflops": [0.1],
            "value": [40.0],
            "se": [1.0],
        }
    )
    report = make.report(found, ("models",), against=theirs, against_label="Lab B")
    assert len(cells_of(report, "tab-against")["rows"]) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as CSV"),
        ("a,b\n1,2\n", "no column model, gflops, value; there are a, b"),
        ("model,gflops,value\nx,1,2\ny,one,3\n", "line 3: gflops is not a finite number"),
        ("model,gflops,value\nx,1,\n", "line 2: value is not a finite number"),
        ("model,gflops,value\nx,1,inf\n", "value is not a finite number"),
        ("model,gflops,value\nx,0,2\n", "line 2: gflops is no cost"),
        ("model,gflops,value,se\nx,1,2,0.1\ny,1,2,-1\n", "line 3: se is negative"),
        ("model,gflops,value\nx,1,2\nx,1,3\n", "line 3: x is there twice"),
        # Read with the first column as names of rows: x had 1 as its model, and 2 as its Gflops.
        ("model,gflops,value\nx,1,2,3\n", "cannot be read as CSV"),
        ("model,gflops,value\n", "it has no row below its header"),
        ("model,gflops,value\n,,\n\n", "it has no row below its header"),
        ("model,gflops,value\nx,1,2\ny,1,inf\n", "line 3: value is not a finite number, but 'inf'"),
        ("model,gflops,value\nx,1,2\n\n,1,2\n", "line 4: there is no model"),
        ("model,gflops,value\nx,1,2\n\n\ny,one,2\n", "line 5: gflops is not a finite number"),
        ("model,gflops,value,params\nx,1,2,many\n", "line 2: params is not a finite number"),
        ("model,gflops,value,patch_size\nx,1,2,two\n", "line 2: patch_size is not a finite"),
        ("model,gflops,value,se,se_df\nx,1,2,1,0\n", "line 2: se_df is 0"),
    ],
)
def test_a_csv_that_is_not_one_is_refused_by_its_line(tmp_path, text, words):
    path = tmp_path / "lab.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read(path, "fid", NOBODYS)
    with pytest.raises(BadInput, match="no results folder and no CSV"):
        read(tmp_path / "nothing", "fid", NOBODYS)


@pytest.mark.slow
def test_the_papers_report_says_what_the_paper_published_and_no_more():
    text = said(papers_report())
    assert "is −0.93 [−0.98, −0.76] over 12 checkpoints" in text
    assert "FID-10K 23.7 at 15.2 Tflops" in text and "25.9 at 80.7 Tflops" in text
    assert "the offset E is not told from 0" in text
    assert "It publishes no spread." in text and "best is" not in text
    every = cells_of(papers_report(), "tab-models")["rows"]
    assert len(every) == 19  # all lengths of training, blocks and image sizes
    rows = {r[0]: r for r in every if r[1] == "256²" and r[3] == "adaln-zero" and r[6] == "400K"}
    assert rows["DiT-XL/2"][-1] == "19.47" and rows["DiT-S/8"][-1] == "153.60"


@pytest.mark.slow
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


def test_blanks_and_spaces_in_a_csv_are_nothing(tmp_path):
    given = tmp_path / "theirs.csv"
    given.write_text("model, gflops, value\n\nDiT-S/2, 1, 2\n\nDiT-B/2,3, 1.5\n")
    found = read(given, "fid", pd.DataFrame())
    assert found["model"].tolist() == ["DiT-S/2", "DiT-B/2"] and found["size"].tolist() == [
        "S",
        "B",
    ]
    assert found["gflops"].tolist() == [1, 3] and found["value"].tolist() == [2, 1.5]

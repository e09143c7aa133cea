"""Somebody else's numbers beside a study's, and the paper's as a report of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.errors import BadInput
from harness.report.against import differences, in_panels, read
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
    assert "Open markers: Lab B. Their settings are not recorded." in said(report)


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


def of_two_rates(make, monkeypatch, tmp_path, change, **shape):
    """(report of a study of two rates, theirs: the same after `change`, as `read` has it)."""
    parts = []
    for rate in (0.001, 0.002):
        one = make.frames(sizes=("S", "B"), patches=(4,), sweep=(), milestones=(1500,), **shape)
        for name in ("metrics", "runs"):
            one[name] = one[name].assign(learning_rate=rate, run=one[name]["run"] + f"-{rate}")
        one["metrics"]["key"] = one["metrics"]["key"] + f"-{rate}"
        parts.append(one)
    both = {n: pd.concat([p[n] for p in parts], ignore_index=True) for n in parts[0]}
    theirs = change(both["metrics"].assign(key=both["metrics"]["key"] + "-theirs"))
    monkeypatch.setattr("harness.store.records.read_frames", lambda source: {"metrics": theirs})
    found = read(tmp_path, "fd_glyphs_cnn", both["metrics"])
    report = make.report(both, ("gflops",), samples={}, against=found, against_label="Lab B")
    return report, found


def panels(report):
    """(title, labels of somebody else's points) of each panel, and their labels in none."""
    from harness.report.figures.marks import OTHER
    from harness.report.findings import find
    from harness.report.sections.gflops import drawing, placed

    rows, _ = placed(find(report))
    theirs = rows[rows[OTHER].notna()] if OTHER in rows else rows.iloc[:0]
    drawn = drawing(find(report)).figure.axes
    titles = [axes.get_title(loc="left") for axes in drawn]
    opened = [
        sum(line.get_markerfacecolor() == "none" and bool(line.get_gid()) for line in a.get_lines())
        for a in drawn
    ]
    by_panel = [(t, sorted(theirs.loc[theirs["group"] == t, "label"])) for t in titles]
    assert opened == [len(labels) for _, labels in by_panel]
    return by_panel


@pytest.mark.slow
def test_values_of_a_study_of_two_rates_stand_each_in_the_panel_of_its_rate(
    make, monkeypatch, tmp_path
):
    report, theirs = of_two_rates(make, monkeypatch, tmp_path, lambda rows: rows)
    assert theirs["recorded"].all() and set(theirs["setting"]) == {"lr 0.001", "lr 0.002"}
    models = ("DiT-micro-B/4", "DiT-micro-S/4")
    rates = ("lr 0.001", "lr 0.002")
    assert panels(report) == [(rate, [f"{m} {rate}" for m in models]) for rate in rates]
    text = said(report)
    assert "Open markers: Lab B. Each stands in the panel of its own setting." in text
    assert "not drawn" not in text


@pytest.mark.slow
def test_another_setting_has_no_panel_and_is_counted_be_it_of_what_ours_never_varied(
    make, monkeypatch, tmp_path
):
    """A third rate, and a block that ours has not: each of ours stands where its own words say."""

    def change(rows):
        third = rows[rows["learning_rate"] == 0.001].assign(learning_rate=0.004)
        block = rows[rows["learning_rate"] == 0.002].assign(block="in-context")
        other = [part.assign(run=part["run"] + "x", key=part["key"] + str(i))
                 for i, part in enumerate((third, block))]  # fmt: skip
        return pd.concat([rows, *other], ignore_index=True)

    report, theirs = of_two_rates(make, monkeypatch, tmp_path, change)
    assert theirs["setting"].isna().sum() == 4 and len(theirs) == 8
    assert [len(labels) for _, labels in panels(report)] == [2, 2]
    text = said(report)
    assert "Of its 8 values 4 are of settings that have no panel here and are not drawn." in text
    assert len(cells_of(report, "tab-against")["rows"]) == 4


@pytest.mark.slow
def test_a_model_that_ours_lacks_stands_in_the_panel_of_its_setting(make, monkeypatch, tmp_path):
    def change(rows):
        larger = rows[rows["size"] == "B"].assign(
            size="XL", model="DiT-micro-XL/4", gflops=0.01, run=lambda r: r["run"] + "x",
            key=lambda r: r["key"] + "x",
        )  # fmt: skip
        return pd.concat([rows, larger], ignore_index=True)

    report, _ = of_two_rates(make, monkeypatch, tmp_path, change)
    assert [labels[-1] for _, labels in panels(report)] == [
        "DiT-micro-XL/4 lr 0.001", "DiT-micro-XL/4 lr 0.002"
    ]  # fmt: skip
    with_another_family = of_two_rates(
        make, monkeypatch, tmp_path,
        lambda rows: change(rows).assign(
            family=lambda r: r["family"].where(r["size"] != "XL", "U-ViT")
        ),
    )[0]  # fmt: skip
    assert [len(labels) for _, labels in panels(with_another_family)] == [2, 2]


@pytest.mark.slow
def test_in_a_study_of_one_setting_another_one_is_not_drawn_either(make, monkeypatch, tmp_path):
    """It stood among ours as if it were of the same recipe."""

    def change(rows):
        other = rows.assign(learning_rate=0.5, run=rows["run"] + "x", key=rows["key"] + "x")
        return pd.concat([rows, other], ignore_index=True)

    rows, source = folder(make, monkeypatch, tmp_path, change)
    theirs = read(source, "fd_glyphs_cnn", rows)
    ours = make.frames(sizes=("S", "B"), patches=(4,), sweep=(4, 8))
    report = make.report(ours, ("gflops",), samples={}, against=theirs, against_label="Lab B")
    text = said(report)
    assert "Of its 4 values 2 are of settings that have no panel here and are not drawn." in text
    assert "Open markers: Lab B. " in text and "not recorded" not in text


def ours(*groups):
    """S and B in each of these settings."""
    return pd.DataFrame(
        [
            {"label": f"DiT-{s}/2 {g}".strip(), "model": f"DiT-{s}/2", "family": "DiT", "group": g}
            for g in groups
            for s in "SB"
        ]
    )


def of_a_csv(*labels):
    models = [label.partition(" ")[0] for label in labels]
    return pd.DataFrame({"label": labels, "model": models}).assign(
        family=None, setting=None, recorded=False
    )


@pytest.mark.parametrize(
    ("groups", "labels", "placed"),
    [
        (("lr 1", "lr 2"), ("DiT-S/2 lr 2", "DiT-XL/2 lr 1"), ["lr 2", "lr 1"]),
        (("lr 1", "lr 2"), ("DiT-S/2 lr 2", "DiT-B/2", "DiT-S/2 lr 3"), ["lr 2", None, None]),
        (("", "lr 2"), ("DiT-S/2", "DiT-XL/2"), ["", None]),
        (("",), ("DiT-S/2", "DiT-XL/2", "DiT-B/2 of 2021"), ["", "", ""]),
    ],
)
def test_a_row_of_a_csv_stands_where_its_label_says_or_beside_one_setting(groups, labels, placed):
    """Nothing else is known of its setting: in a study of several it is never guessed."""
    found = in_panels(of_a_csv(*labels), ours(*groups))["group"]
    assert [None if pd.isna(g) else g for g in found] == placed


def test_where_two_panels_have_one_setting_what_is_anothers_stands_in_neither():
    """Panels of two references, of which labels say nothing."""
    mine = ours("").assign(group=["reference a", "reference b"])
    theirs = of_a_csv("DiT-S/2").assign(family="DiT", setting="", recorded=True)
    assert in_panels(theirs, mine)["group"].isna().all()
    assert in_panels(theirs, mine.assign(group=""))["group"].tolist() == [""]
    assert in_panels(theirs.assign(setting=None), mine.assign(group=""))["group"].isna().all()


@pytest.mark.slow
def test_the_caption_says_that_a_csv_records_no_setting(make, monkeypatch, tmp_path):
    report, _ = of_two_rates(make, monkeypatch, tmp_path, lambda rows: rows)
    path = tmp_path / "lab.csv"
    path.write_text(
        "model,label,gflops,value\nDiT-micro-S/4,DiT-micro-S/4 lr 0.002,0.01,40\n"
        "DiT-micro-B/4,DiT-micro-B/4,0.05,30\n"
    )
    given = dataclasses.replace(report, against=read(path, "fd_glyphs_cnn", NOBODYS))
    assert [len(labels) for _, labels in panels(given)] == [0, 1]
    text = said(given)
    assert "in the panel that its label names; no more is known of its setting." in text
    assert "Of its 2 values 1 names no setting that has a panel here and is not drawn." in text


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

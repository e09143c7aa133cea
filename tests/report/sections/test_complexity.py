"""The section on complexity (Tables 1, 3 and 5): counted beside published."""

from __future__ import annotations

import pytest
from report_words import cells_of, parts, said

from harness.report.findings import find
from harness.report.sections.complexity import (
    _agrees,
    difference,
    measured_alike,
    papers_systems,
)

NOTHING = {"sizes": ()}


def report(make, rows, **changes):
    return make.report(
        make.frames(**NOTHING), ("complexity",), complexity=rows, samples={}, **changes
    )


def dit(name="DiT-XL/2", gflops=118.64, paper_gflops=118.64, **more):
    return {
        "model": name, "block": "adaln-zero", "image_size": 256, "tokens": 256, "params": 675e6,
        "gflops": gflops, "gflops_paper": gflops * 1.001, "paper_gflops": paper_gflops,
        "paper_params_m": 675, "depth": 28, "width": 1152, "heads": 16, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "tokens", "agree"),
    [
        (118.64, 118.64, 256, True),
        (118.75, 118.64, 256, True),  # within a thousandth
        (118.77, 118.64, 256, False),
        (0.364, 0.36, 16, True),  # printed with two decimals
        (0.366, 0.36, 16, False),
        (104.4, 104, None, True),  # a U-Net's, printed without decimals
        (104.6, 104, None, False),
    ],
)
def test_agreement_is_a_thousandth_or_the_rounding_of_the_papers(
    ours: float, theirs: float, tokens: int | None, agree: bool
) -> None:
    row = {"gflops": ours, "paper_gflops": theirs, "tokens": tokens}
    assert _agrees(row) is agree


def test_the_largest_difference_is_told_with_its_network(make) -> None:
    text = said(report(make, [dit(), dit("DiT-L/2", 80.0, 80.71)]))
    assert "1 of the 2 that the paper lists agree" in text
    assert "the largest difference, rounding included, is 0.88% (DiT-L/2)" in text


@pytest.mark.slow
def test_what_the_paper_has_not_is_a_dash(make) -> None:
    table = cells_of(report(make, [dit(), dit("DiT-Q/2", 5.0, None)]), "tab-complexity")
    assert table["rows"][0][-2:] == ["118.64", "+0.00%"]
    assert table["rows"][1][-2:] == ["–", "–"]
    assert difference(99.0, 100.0) == "−1.00%"


@pytest.mark.slow
def test_designs_are_named_only_where_there_are_several(make) -> None:
    rows = [dit(), dit(block="in-context", gflops=119.37, paper_gflops=119.37)]
    names = [r[0] for r in cells_of(report(make, rows), "tab-complexity")["rows"]]
    assert names == ["DiT-XL/2", "DiT-XL/2, in-context"]
    assert [r[0] for r in cells_of(report(make, rows[:1]), "tab-complexity")["rows"]] == [
        "DiT-XL/2"
    ]


def test_networks_that_differ_by_their_channels_alone_are_told_apart(make) -> None:
    rows = [dit(channels=n, gflops=118.0 + n) for n in (1, 4)] + [dit("DiT-S/2", channels=4)]
    names = [r[0] for r in cells_of(report(make, rows), "tab-complexity")["rows"]]
    assert names == ["DiT-XL/2, 1 channel", "DiT-XL/2, 4 channels", "DiT-S/2"]


def test_table_1_has_gflops_at_patch_size_four_alone(make) -> None:
    rows = [dit("DiT-XL/2"), dit("DiT-XL/4", 29.05, 29.05), dit("DiT-S/2", 6.06, 6.06, depth=12)]
    table = cells_of(report(make, rows), "tab-configs")
    assert table["rows"] == [
        ["DiT-XL", "28", "1,152", "16", "29.05", "29.1", "−0.17%"],
        ["DiT-S", "12", "1,152", "16", "–", "1.4", "–"],
    ]


@pytest.mark.slow
def test_unets_have_their_parts_and_figure_2_the_papers_systems(make) -> None:
    made = report(make, [dit(), *make.unets()])
    table = cells_of(made, "tab-unets")
    assert table["rows"][1][:2] == ["ADM", "256²"] and table["rows"][1][3] == "1,120"
    assert len(table["rows"]) == 7 and table["head"][0][1]["span"] == 2
    assert "fig-systems.svg" in parts(made)[1]
    assert [s["network"] for s in papers_systems()][-1] == "DiT-XL/2"


@pytest.mark.slow
def test_figure_2_has_this_studys_models_where_they_were_measured_as_the_papers(make) -> None:
    shape = {"sizes": ("XL",), "patches": (2,), "sweep": (), "milestones": (1500,)}
    guided = make.frames(**shape, family="DiT", extractor="inception-2015", guidance=((1.5, 3),))
    rows = guided["metrics"]
    rows.loc[(rows["guidance_scale"] == 1.5).fillna(False), "samples"] = 50_000
    counted = [dit(), *make.unets()]
    made = make.report(guided, ("complexity",), complexity=counted, samples={})
    value = rows[(rows["metric"] == "fid") & (rows["samples"] == 50_000)]["value"].iloc[0]
    (ours,) = measured_alike(find(made))
    assert ours["name"] == "DiT-XL/2, this study" and ours["value"] == value
    assert "Filled: this study's" in said(made)
    rows["samples"] = rows["samples"].where(rows["samples"] != 50_000, 800)
    fewer = make.report(guided, ("complexity",), complexity=counted, samples={})
    assert measured_alike(find(fewer)) == [] and "Filled" not in said(fewer)


def test_without_a_count_it_says_so(make) -> None:
    assert "Nothing has been counted yet." in said(report(make, []))

"""The section on systems (Table 2): the paper's rows, and the largest model's own."""

from __future__ import annotations

import pytest
from report_words import cells_of, said

from harness import paper
from harness.report.papers import papers_report
from harness.report.sections.comparison import papers_rows, published
from harness.report.wording import DASH


def names(table) -> list[str]:
    return [row[0] if isinstance(row[0], str) else row[0]["text"] for row in table["rows"]]


def test_the_papers_rows_are_as_it_prints_them() -> None:
    rows = papers_rows(256)
    assert [r[0] for r in rows] == [r["model"] for r in paper.table("table2_imagenet256")]
    assert rows[0] == ["BigGAN-deep", "6.95", "7.36", "171.40", "0.87", "0.28"]
    at_512 = {r[0]: r[1] for r in papers_rows(512)}
    assert at_512 == {
        "ADM-G, ADM-U": "3.85", "DiT-XL/2": "11.93", "DiT-XL/2-G (cfg=1.50)": "3.04",
    }  # fmt: skip
    assert published(None) == DASH and published(2) == "2.00"


@pytest.mark.slow
def test_another_data_set_stands_below_under_its_own_head(make) -> None:
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=(), milestones=(1500,))
    report = make.report(found, ("comparison",))
    table = cells_of(report, "tab-comparison")
    assert names(table)[-2:] == [
        "This study, other data and features", "DiT-micro-B/2, 1,500 steps *",
    ]  # fmt: skip
    assert "do not compare with the paper's" in said(report)
    assert not any("*" in name for name in names(table)[:-1])


@pytest.mark.slow
@pytest.mark.parametrize("image_size", [256, 512])
def test_imagenets_rows_stand_within_the_papers_block_of_their_size(make, image_size) -> None:
    found = make.frames(
        sizes=("XL",), patches=(2,), sweep=(), milestones=(1500,), family="DiT",
        extractor="inception-2015", guidance=((1.5, 3),),
    )  # fmt: skip
    found["metrics"].loc[found["metrics"]["of"] == "samples", "image_size"] = image_size
    report = make.report(found, ("comparison",))
    table = cells_of(report, "tab-comparison")
    ours = [i for i, name in enumerate(names(table)) if name.endswith("*")]
    at_512 = names(table).index("ImageNet 512×512")
    assert ours and all((i > at_512) == (image_size == 512) for i in ours)
    assert "Values compare where data, reference and number of samples" in said(report)


@pytest.mark.slow
def test_ways_of_measuring_the_largest_model_are_told_apart(make) -> None:
    found = make.frames(
        sizes=("S", "XL"), patches=(2,), sweep=(), milestones=(1500,),
        decoders=("original", "ft-ema"),
    )  # fmt: skip
    table = cells_of(make.report(found, ("comparison",)), "tab-comparison")
    ours = [name for name in names(table) if name.endswith("*")]
    assert ours == ["DiT-micro-XL/2, 1,500 steps *"]  # of the widest protocol alone


@pytest.mark.slow
def test_the_papers_own_report_has_its_rows_alone() -> None:
    import dataclasses

    report = dataclasses.replace(papers_report(), sections=("comparison",))
    table = cells_of(report, "tab-comparison")
    assert not any("*" in name or "This study" in name for name in names(table))
    assert "this study's" not in said(report)

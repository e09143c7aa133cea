"""The section on systems (Table 2): the paper's rows, and the largest model's own."""

from __future__ import annotations

import pytest
from report_words import cells_of, said

from harness import paper
from harness.report.papers import papers_report
from harness.report.sections.comparison import papers_row, papers_rows, published
from harness.report.wording import DASH

THEIRS = {"batch_size": 256, "learning_rate": 1e-4, "objective": "ddpm", "sampling_steps": 250,
          "step": 7_000_000, "decoder": "ft-ema", "recipe": '{"ema": 0.9999}'}  # fmt: skip


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


def test_the_papers_row_is_that_of_the_same_setting() -> None:
    row = {"model": "DiT-XL/2", "block": "adaln-zero", "samples": 50_000, "image_size": 256,
           "guidance_scale": 1.5, "guidance_channels": 3, "step": 7_000_000,
           "sampling_steps": 250, "decoder": "ft-ema"}  # fmt: skip
    found = papers_row(row)
    assert found is not None and found[0] == "DiT-XL/2-G (cfg=1.50)" and found[1]["fid"] == 2.27
    assert papers_row({**row, "guidance_scale": 1.0})[1]["fid"] == 9.62
    assert papers_row({**row, "image_size": 512, "step": 3_000_000})[1] == {"fid": 3.04}
    assert papers_row({**row, "step": None, "decoder": None}) is not None  # it does not say
    for change in ({"samples": 10_000}, {"guidance_channels": None}, {"guidance_scale": 4.0},
                   {"block": "adaln"}, {"model": "DiT-L/2"}, {"step": 400_000},
                   {"image_size": 512}, {"image_size": 128}, {"sampling_steps": 50},
                   {"decoder": "original"}, {"sampler": "ddim"}, {"objective": "flow"},
                   {"guidance_low": 0.2}, {"recipe": '{"ema": 0.999}'}):  # fmt: skip
        assert papers_row({**row, **change}) is None


@pytest.mark.slow
def test_the_difference_stands_below_a_row_of_the_papers_setting(make) -> None:
    found = make.frames(
        sizes=("XL",), patches=(2,), sweep=(), milestones=(1500,), family="DiT",
        extractor="inception-2015", guidance=((1.5, 3),),
    )  # fmt: skip
    rows = found["metrics"]
    rows.loc[rows["of"] == "samples", "samples"] = 50_000
    rows["std"] = 0.01
    plain = make.report(found, ("comparison",))
    assert not any(name.startswith("less") for name in names(cells_of(plain, "tab-comparison")))
    assert "The paper's DiT-XL/2 was trained for 7M (512×512: 3M) steps by ddpm" in said(plain)
    found["metrics"] = rows.assign(**THEIRS)
    assert "The paper's DiT-XL/2 was" not in said(make.report(found, ("comparison",)))
    table = cells_of(make.report(found, ("comparison",)), "tab-comparison")
    at = names(table).index("less the paper's DiT-XL/2-G (cfg=1.50), 7M steps *")
    ours, less = (row[1] for row in table["rows"][at - 1 : at + 1])
    value = float(ours.split(" ± ")[0]) - 2.27
    assert float(less.split(" ± ")[0].replace("−", "-")) == pytest.approx(value, abs=0.01)
    assert less[0] in "+−" and "less the paper's DiT-XL/2, 7M steps *" in names(table)


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

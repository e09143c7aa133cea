"""The section on decoders (Table 4): the same latents decoded several times."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.papers import papers_report


def frames(make, **changes):
    shape = {
        "sizes": ("XL",), "patches": (2,), "milestones": (1500,), "sweep": (),
        "decoders": ("original", "ft-mse", "ft-ema"),
    }  # fmt: skip
    return make.frames(**{**shape, **changes})


@pytest.mark.slow
def test_one_row_per_decoder_above_the_papers(make) -> None:
    table = cells_of(make.report(frames(make), ("decoders",)), "tab-decoders")
    assert [row[0] for row in table["rows"][:3]] == ["ft-ema", "ft-mse", "original"]
    assert table["rows"][3][0] == "the paper's, guidance 1.5"
    assert [row[0] for row in table["rows"][4:]] == ["original", "ft-MSE", "ft-EMA"]
    assert table["head"][0][1:] == ["FD ↓", "sFD ↓", "Class score ↑", "Prec. ↑", "Rec. ↑"]
    assert table["rules"] == [3]


@pytest.mark.slow
def test_the_difference_from_the_paper_stands_below_a_row_of_its_setting(make) -> None:
    found = frames(make, family="DiT", extractor="inception-2015")
    rows = found["metrics"]
    rows.loc[rows["of"] == "samples", "samples"] = 50_000
    rows["std"] = 0.01
    plain = make.report(found, ("decoders",))
    first = [row[0] for row in cells_of(plain, "tab-decoders")["rows"]]
    assert first[:3] == ["ft-ema", "ft-mse", "original"]  # of another rate, batch and length
    assert "The paper's DiT-XL/2 was trained for 7M" in said(plain)
    found["metrics"] = rows.assign(batch_size=256, learning_rate=1e-4, objective="ddpm",
                                   sampling_steps=250, step=7_000_000, recipe=None)  # fmt: skip
    assert "The paper's DiT-XL/2 was" not in said(make.report(found, ("decoders",)))
    table = cells_of(make.report(found, ("decoders",)), "tab-decoders")
    names = [row[0] for row in table["rows"]]
    assert names[:6] == ["ft-ema", "less the paper's", "ft-mse", "less the paper's",
                         "original", "less the paper's"]  # fmt: skip
    ours, less = (float(row[1].split(" ± ")[0].replace("−", "-")) for row in table["rows"][:2])
    assert less == pytest.approx(ours - 2.27, abs=0.01)
    assert all(len(row) == len(table["align"]) for row in table["rows"])


@pytest.mark.slow
def test_metrics_that_the_paper_has_not_get_columns_with_dashes_below(make) -> None:
    found = frames(make)
    rows = found["metrics"]
    kid = rows[rows["metric"] == "recall_glyphs_cnn"].assign(metric="kid_glyphs_cnn", value=0.01)
    found["metrics"] = pd.concat([rows, kid], ignore_index=True)
    table = cells_of(make.report(found, ("decoders",)), "tab-decoders")
    assert table["head"][0][-1] == "KD ↓" and table["rows"][4][-1] == "–"
    assert all(len(row) == len(table["align"]) for row in table["rows"])


@pytest.mark.slow
def test_several_models_are_named_in_their_rows(make) -> None:
    table = cells_of(make.report(frames(make, sizes=("S", "XL")), ("decoders",)), "tab-decoders")
    assert table["rows"][0][0].startswith("DiT-micro-S/2, ft-ema")
    assert len(table["rows"]) == 6 + 4


@pytest.mark.slow
def test_one_decoder_is_no_comparison(make) -> None:
    found = frames(make, decoders=("original",))
    assert "decoded by more than one decoder." in said(make.report(found, ("decoders",)))


@pytest.mark.slow
def test_the_papers_own_report_has_its_table() -> None:
    report = dataclasses.replace(papers_report(), sections=("decoders",))
    assert len(cells_of(report, "tab-decoders")["rows"]) == 3

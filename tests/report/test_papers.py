"""The paper's own numbers as a report's input."""

from __future__ import annotations

import pandas as pd
import pytest

from harness import paper
from harness.report.papers import SECTIONS, complexity, metrics, papers_report
from harness.store.tables import TABLES


def test_twelve_models_are_those_of_table_3_as_published() -> None:
    rows = metrics()
    assert len(rows) == 12 and {r["metric"] for r in rows} == {"fid"}
    for row in rows:
        theirs = paper.model(str(row["model"]))
        assert theirs is not None
        assert (row["value"], row["gflops"]) == (theirs["fid50k_no_guidance"], theirs["gflops"])
        assert row["params"] == int(theirs["params_m"] * 1e6)  # type: ignore[operator]
    assert len({r["run"] for r in rows}) == 12


@pytest.mark.slow
def test_no_spread_is_made_up() -> None:
    """The paper publishes none: a standard error here would make a number of ours of it."""
    frame = papers_report().frames["metrics"]
    for column in ("std", "std_df", "floor", "reference_sha256"):
        assert frame[column].isna().all()
    assert list(frame.columns) == [c.name for c in TABLES["metrics"]]
    assert not len(papers_report().frames["runs"]) and not len(papers_report().frames["training"])


def test_it_says_that_the_numbers_are_the_papers() -> None:
    report = papers_report()
    assert report.papers_own and report.sections == SECTIONS
    assert "23.7" in report.about and "25.9" in report.about and "no spread" in report.about
    assert report.date.year == 2023 and report.provenance == {
        "published in": report.provenance["published in"]
    }


def test_complexity_has_every_network_once_and_the_unets() -> None:
    rows = complexity()
    named = [(r["model"], r["block"], r["image_size"]) for r in rows]
    assert len(set(named)) == len(named)
    assert sum(r["tokens"] is None for r in rows) == len(paper.table("table5_unets"))
    xl = [r for r in rows if r["model"] == "DiT-XL/2"]
    assert {(r["image_size"], r["block"]) for r in xl} == {
        (256, "adaln-zero"), (256, "in-context"), (256, "cross-attention"), (256, "adaln"),
        (512, "adaln-zero"),
    }  # fmt: skip
    assert all(r["tokens"] == (r["image_size"] // 8 // 2) ** 2 for r in xl)
    assert pd.DataFrame(rows)["gflops"].notna().all()

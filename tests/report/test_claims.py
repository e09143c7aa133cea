"""The paper's claims on records whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from report_words import cells_of, said

from harness.report.papers import papers_report


def verdicts(report):
    rows = cells_of(report, "tab-claims")["rows"]
    return {r[1]: r[2] if isinstance(r[2], str) else r[2]["text"] for r in rows}


def measured(make, noise, trend=1.0, std=0.01, **shape):
    found = make.frames(noise=noise, trend=trend, **shape)
    rows = found["metrics"]
    rows["std"] = rows["value"].astype(float) * std
    return make.report(found, ("claims",))


def test_what_is_there_is_supported_and_its_opposite_contradicted(make):
    kept = verdicts(measured(make, 0.0))
    assert len(kept) == 5 and set(kept.values()) == {"supported"}
    turned = verdicts(measured(make, 0.0, trend=-1.0))
    assert turned["Model Gflops and sample quality are strongly correlated."] == "contradicted"
    assert turned["At one patch size a larger model is better."] == "contradicted"
    assert "supported" not in turned.values()


@pytest.mark.slow
def test_of_noise_nothing_is_claimed_beyond_what_intervals_allow(make):
    claimed = total = 0
    for seed in range(12):
        found = make.frames()
        rows = found["metrics"]
        rng = np.random.default_rng(seed)
        drawn = (rows["of"] == "samples").fillna(False)
        rows.loc[drawn, "value"] = 50 * np.exp(rng.normal(0, 0.03, int(drawn.sum())))
        rows["std"] = 0.03 * rows["value"].astype(float)
        said_of = verdicts(make.report(found, ("claims",)))
        total += len(said_of)
        claimed += sum(v != "undecided" for v in said_of.values())
    assert total == 60 and claimed <= 9  # 5 % of 60 is 3; more than 9 has probability 0.1 %


def test_without_standard_errors_a_count_is_undecided(make):
    kept = verdicts(make.report(make.frames(noise=0.0), ("claims",)))
    assert kept["At one patch size a larger model is better."] == "undecided"
    assert kept["More sampling compute does not make up for a smaller model."] == "undecided"


def test_block_designs_are_judged_within_a_model(make):
    report = measured(make, 0.0, sizes=("XL",), patches=(2,), blocks=("in-context", "adaln-zero"))
    kept = verdicts(report)
    assert kept["adaLN-Zero is the best of the block designs."] in ("undecided", "contradicted")


def test_the_papers_own_tables_agree_and_give_no_spread():
    kept = verdicts(papers_report())
    assert kept["Model Gflops and sample quality are strongly correlated."] == "supported"
    assert kept["At one patch size a larger model is better."] == "agrees, spread not published"
    assert "9 of 9 values" in said(papers_report()) and "8 of 8 values" in said(papers_report())

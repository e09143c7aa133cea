"""The section `claims`: the paper's sentences and numbers, each with the test that decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said, words

from harness import paper
from harness.report.findings import find
from harness.report.papers import papers_report
from harness.report.sections.abstract import claims_sentence
from harness.report.sections.claims import Claims


def verdicts(report):
    return {v.id: v.verdict for v in find(report).verdicts if v.decidable}


def measured(make, noise, trend=1.0, std=0.01, **shape):
    found = make.frames(noise=noise, trend=trend, **shape)
    rows = found["metrics"]
    rows["std"] = rows["value"].astype(float) * std
    return make.report(found, ("claims",))


@pytest.mark.slow
def test_what_is_there_is_supported_and_its_opposite_contradicted(make):
    kept = verdicts(measured(make, 0.0))
    for name in ("size-helps", "patch-helps", "sampling-cannot-compensate"):
        assert kept[name] == "supported", name
    turned = verdicts(measured(make, 0.0, trend=-1.0))
    assert turned["strong-correlation"] == turned["size-helps"] == "contradicted"


@pytest.mark.slow
def test_steps_that_surely_improve_and_worsen_are_counted_apart(make):
    by = {}
    for trend in (1.0, -1.0):
        told = find(measured(make, 0.0, trend=trend)).verdicts
        (by[trend],) = [v.numbers for v in told if v.id == "size-helps" and v.decidable]
    steps = by[1.0].split(" of ")[1].split()[0]
    assert by[1.0] == (
        f"{steps} of {steps} steps forward improve; beyond Holm's correction {steps} improve and "
        "0 worsen"
    )
    assert by[-1.0].endswith(f"0 improve and {steps} worsen")


@pytest.mark.slow
def test_of_noise_nothing_is_claimed_beyond_what_intervals_allow(make):
    tested = ("size-helps", "patch-helps", "sampling-cannot-compensate", "gflops-not-params")
    claimed = 0
    for seed in range(10):
        found = make.frames(milestones=(1500,))
        rows = found["metrics"]
        rng = np.random.default_rng(seed)
        drawn = (rows["of"] == "samples").fillna(False)
        rows.loc[drawn, "value"] = 50 * np.exp(rng.normal(0, 0.03, int(drawn.sum())))
        rows["std"] = 0.03 * rows["value"].astype(float)
        told = verdicts(make.report(found, ("claims",), samples={}))
        claimed += sum(told[name] != "undecided" for name in tested)
    assert claimed <= 7  # of 40 at 5 %: more is one in ten thousand


@pytest.mark.slow
def test_without_standard_errors_a_count_is_undecided(make):
    kept = verdicts(make.report(make.frames(noise=0.0), ("claims",)))
    assert kept["size-helps"] == kept["sampling-cannot-compensate"] == "undecided"


def two_settings(make, trend, **changes):
    """Two sizes by two patches, and again with `changes`, where larger is worse by `trend`."""
    few = {"sizes": ("S", "B"), "patches": (8, 4), "milestones": (1500,), "sweep": ()}
    found = make.frames(**few, noise=0.0)
    more = make.frames(**few, noise=0.0, trend=trend)
    for name in ("metrics", "runs"):
        for column, value in changes.items():
            more[name][column] = value
        more[name]["run"] = more[name]["run"] + "-other"
        found[name] = pd.concat([found[name], more[name]], ignore_index=True)
    found["metrics"]["std"] = 0.01 * found["metrics"]["value"].astype(float)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "setting"),
    [({"learning_rate": 1e-2}, "lr 0.01"), ({"image_size": 512}, "512 px"),
     ({"reference_sha256": "9" * 64}, "reference 999999")],
)  # fmt: skip
def test_each_setting_is_decided_by_itself(make, changes, setting):
    report = make.report(two_settings(make, -1.0, **changes), ("claims",))
    kept = {(v.setting, v.id): v.verdict for v in find(report).verdicts}
    settings = {name for name, _ in kept}
    (other,) = settings - {setting}
    assert setting in settings and len(settings) == 2
    assert kept[other, "size-helps"] == kept[other, "patch-helps"] == "supported"
    assert kept[setting, "size-helps"] == kept[setting, "patch-helps"] == "contradicted"


@pytest.mark.slow
def test_block_designs_stay_in_one_setting(make):
    report = make.report(two_settings(make, 1.0, block="in-context"), ("claims",))
    found = find(report).verdicts
    assert {v.setting for v in found} == {""}
    assert next(v for v in found if v.id == "adaln-zero-half").decidable


@pytest.mark.slow
def test_the_table_names_the_settings_and_the_abstract_counts_a_claim_once(make):
    found = find(make.report(two_settings(make, 1.0, learning_rate=1e-2), ("claims",)))
    _text, table, _silent = Claims().blocks(found)
    settings = {v.setting for v in found.verdicts}
    assert len(settings) == 2 and {row[2] for row in table.rows} == settings
    assert "each setting is judged alone" in str(table.caption)
    (sentence,) = claims_sentence(found)
    assert "of the paper's 32 claims and numbers, in two settings each by itself (" in sentence


@pytest.mark.slow
def test_a_studys_own_pair_is_decided_and_a_late_one_is_marked(make):
    pair = ("DiT-micro-L/2", "DiT-micro-XL/2")
    report = measured(make, 0.0)
    since = dict.fromkeys(paper.chosen_ids(None, [pair]), "2026-11-23T10:00:00Z")
    own = paper.pair_id(*pair)
    report = dataclasses.replace(
        report, claim_pairs=[pair], claims_since=since, claims_after=frozenset({own})
    )
    assert verdicts(report)[own] == "supported"
    rows = cells_of(report, "tab-claims")["rows"]
    assert rows[-1][1].endswith("‡") and not rows[0][1].endswith("‡")
    text = said(report)
    assert "chosen after the first run" in text and "begun before its claims" not in text
    assert "begun before its claims were stored" in said(measured(make, 0.0))


def test_where_nothing_can_be_decided_the_reason_stands_alone(make) -> None:
    found = find(make.report(make.frames(sizes=()), ("claims",), samples={}))
    assert not found.verdicts
    assert [type(block).__name__ for block in Claims().blocks(found)] == ["Paragraph"]
    assert "No model has a measured quality yet." in str(Claims().blocks(found))


@pytest.mark.slow
def test_only_the_claims_that_a_study_names_are_decided(make):
    report = dataclasses.replace(measured(make, 0.0), claims=["size-helps"])
    assert list(verdicts(report)) == ["size-helps"]


@pytest.mark.slow
def test_the_papers_own_tables_agree_and_give_no_spread():
    kept = verdicts(papers_report())
    assert kept["strong-correlation"] == "supported"
    assert kept["size-helps"] == "agrees, spread not published"
    assert kept["sampling-l2-1000-tflops"] == "agrees, spread not published"
    text = said(papers_report())
    assert "9 of 9 steps" in text and "8 of 8 steps" in text and "80.71 Gflops × 1000" in text


@pytest.mark.slow
def test_claims_that_nothing_speaks_of_are_said_in_words_with_what_they_need():
    """They were listed by their ids ("xl4-xl2-crossing"), and more than 15 were only counted."""
    made = papers_report()
    silent = [v for v in find(made).verdicts if not v.decidable]
    cells = words(cells_of(made, "tab-silent"))
    every = said(made)
    assert len(silent) > 10 and "no training losses" in cells.lower()
    for v in silent:
        assert f"{v.said} (paper, {v.where})" in cells and f"{v.id}," not in every


@pytest.mark.slow
def test_one_seed_of_few_models_names_all_it_says_nothing_of(make):
    made = measured(make, 0.0, sizes=("S", "XL"), patches=(2,))
    silent = {v.id: v for v in find(made).verdicts if not v.decidable}
    cells = words(cells_of(made, "tab-silent"))
    assert len(silent) > 20 and all(v.said in cells for v in silent.values())

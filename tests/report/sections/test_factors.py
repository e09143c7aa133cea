"""The section `factors`: paired differences at equal model and seed, never pooled recipes."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, parts, said

from harness.analysis.intervals import Interval
from harness.report.findings import find
from harness.report.sections.factors import MOST, crossing, turns_table

ABLATION = ("factors",)


def ablation(make, effect=0.8, turn=0.0, seeds=(0, 1, 2), noise=0.02, settings=None):
    """S, B, L at patch 4 by two recipes; `effect`: the second's ratio at 0.01 Gflops; `turn`: the
    change of its log per tenfold compute."""
    settings = settings or ({"label_dropout": 0.1}, {"label_dropout": 0.0})
    rng = np.random.default_rng(3)
    frames = []
    for i, recipe in enumerate(settings):
        found = make.frames(sizes=("S", "B", "L"), patches=(4,), seeds=seeds, sweep=(), noise=0.0,
                            milestones=(500, 1500))  # fmt: skip
        for name in ("metrics", "runs"):
            found[name]["recipe"] = json.dumps({"ema": 0.999, **recipe})
            found[name]["run"] = found[name]["run"] + f"-{i}"
        rows = found["metrics"]
        real = (rows["of"] == "samples").fillna(False)
        log = np.log10(rows.loc[real, "gflops"].to_numpy(float) / 0.01)
        ratio = np.exp((np.log(effect) + turn * log) * (i > 0))
        noises = {k: rng.normal(0, noise) for k in rows.loc[real, "run"].unique()}
        ratio = ratio * np.exp([noises[r] for r in rows.loc[real, "run"]])
        fd = real & rows["metric"].str.startswith("fd").fillna(False)
        values = rows.loc[real, "value"].to_numpy(float) * ratio
        rows.loc[fd, "value"] = values[fd[real].to_numpy(bool)]
        frames.append(found)
    merged = {n: pd.concat([f[n] for f in frames], ignore_index=True) for n in frames[0]}
    return merged


@pytest.mark.slow
def test_a_true_effect_is_told_with_its_interval_and_short_labels(make):
    found = ablation(make)
    report = make.report(found, ABLATION, samples={})
    text = said(report)
    assert "Dropout: 0 is better than 0.1." in text
    (row,) = cells_of(report, "tab-factors")["rows"]
    assert row[0] == "dropout" and row[4]["text"] == "0" and row[9] == "models"
    assert row[1:3] == ["0", "0.1"] and row[3].startswith("0.8")
    assert row[6:8] == ["3", "3"]
    _, files = parts(report)
    assert "dropout: over 0.1" in files["fig-factors.svg"].decode()


@pytest.mark.slow
def test_of_several_levels_the_ties_are_counted(make):
    levels = tuple({"label_dropout": level} for level in (0.1, 0.0, 0.05))
    text = said(make.report(ablation(make, settings=levels), ABLATION, samples={}))
    assert "of three pairs of levels, " in text and "better in 1, 1 is a tie. " in text


@pytest.mark.slow
def test_pairs_without_any_spread_are_named_and_not_tested(make):
    found = ablation(make, noise=0.0)
    rows = found["metrics"]
    rows["value"] = np.where(rows["run"].str.endswith("-1").fillna(False), 6.0, 8.0)
    report = make.report(found, ABLATION, samples={})
    (row,) = cells_of(report, "tab-factors")["rows"]
    assert row[4:6] == ["no spread", "–"] and row[3] in ("0.750", "1.33")
    text = said(report)
    assert "all pairs differ by the same" in text and "no level is told from another" in text


@pytest.mark.slow
def test_no_effect_is_a_tie(make):
    text = said(make.report(ablation(make, effect=1.0), ABLATION, samples={}))
    assert "no level is told from another" in text and "tie" in text
    assert "Of one ratio, none is told to change with model compute." in text


@pytest.mark.slow
@pytest.mark.parametrize(("turn", "verdict"), [(0.0, "not told"), (0.6, "changes")])
def test_an_effect_that_changes_with_scale_is_seen(make, turn, verdict):
    report = make.report(ablation(make, turn=turn, noise=0.005), ABLATION, samples={})
    (row,) = cells_of(report, "tab-interactions")["rows"]
    said_of = row[4] if isinstance(row[4], str) else row[4]["text"]
    assert said_of == verdict
    if turn:  # 0.8 * 10**(0.6 x / ln 10) = 1 at log10(g / 0.01) = -ln 0.8 / 0.6 = 0.372
        assert row[5].startswith("0.02")


@pytest.mark.slow
def test_a_study_without_factors_has_no_such_section(make):
    content, _ = parts(make.report(make.frames(sizes=("S",), patches=(4,)), ABLATION))
    assert content["bands"] == []


@pytest.mark.slow
def test_one_seed_speaks_of_these_checkpoints(make):
    found = ablation(make, seeds=(0,), noise=0.0)
    found["metrics"]["std"] = found["metrics"]["value"].astype(float) * 0.01
    report = make.report(found, ABLATION, samples={})
    (row,) = cells_of(report, "tab-factors")["rows"]
    assert row[9] == "these checkpoints"
    assert "of these checkpoints" in said(report)


@pytest.mark.slow
def test_recipes_are_not_pooled_in_the_headline(make):
    text = said(make.report(ablation(make), ("headline", "gflops"), samples={}))
    assert "two settings are not pooled" in text
    assert "dropout 0.1" in text and "dropout 0" in text


@pytest.mark.slow
def test_several_factors_give_one_point_per_model_and_level(make):
    settings = [{"label_dropout": d, "weight_decay": w} for d in (0.1, 0.0) for w in (0.0, 0.1)]
    found = find(make.report(ablation(make, settings=settings), ABLATION, samples={})).effects
    assert found.factors == ("label_dropout", "weight_decay")
    assert not found.points.duplicated(["factor", "level", "model"]).any()
    assert (found.table["models"] == 6).all() and len(found.points) == 6


def test_comparisons_that_are_cut_are_counted() -> None:
    """Of more than forty the rest was left out without a word, and the intervals spoke of all."""
    one = SimpleNamespace(factor="label_dropout", first=0.1, second=0.0, crossing=None, models=3,
                          slope=Interval(0.1, -0.1, 0.3))  # fmt: skip
    for more, words in ((2, "2 more comparisons are in no table."), (0, "together.")):
        effects = SimpleNamespace(turns=[one] * (MOST + more), level_in_words=lambda _, v: str(v))
        (table,) = turns_table(SimpleNamespace(effects=effects))
        assert len(table.rows) == MOST and str(table.caption[-1]).endswith(words)


def test_where_two_levels_are_equal_is_told_as_far_as_it_is_located():
    inf = math.inf
    for ends, words in (
        (None, "not located"),
        ((2.0, 0.0, inf), "not located"),
        ((2.0, 1.0, 4.0), "2.00 [1.00, 4.00]"),
        ((2.0, 0.0, 4.0), "2.00, below 4.00"),
        ((2.0, 1.0, inf), "2.00, above 1.00"),
    ):
        assert crossing(None if ends is None else Interval(*ends)) == words

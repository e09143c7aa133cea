"""The best of several recipes in a report: on which samples it was chosen, and valued."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from report_words import cells_of, said

from harness.analysis.factors import Choice
from harness.report import chosen
from harness.report.blocks import plain


def choice(model="DiT-S/2", **changes):
    given = {"level": f"{model} lr 0.004", "model": model, "value": 20.0, "se": 0.5,
             "chosen_on": "sampling_seed 0", "valued_on": "sampling_seed 1, 2",
             "basis": "checkpoints", "flattered": 18.0, "levels": 3}  # fmt: skip
    return Choice(**{**given, **changes})


def found(*choices, flattered=()):
    effects = SimpleNamespace(choices=choices, flattered=flattered)
    return SimpleNamespace(effects=effects, short="FD")


def test_the_text_says_where_a_recipe_was_chosen_and_where_it_was_valued() -> None:
    text = plain(chosen.sentences(found(choice())))
    assert text == (
        "Of three recipes of DiT-S/2 the best by sampling seed 0 is lr 0.004: on sampling seeds "
        "1, 2 its FD is 20.0 ± 1.0. "
    )
    many = plain(chosen.sentences(found(*[choice(f"DiT-{i}/2") for i in range(6)])))
    assert "Of two more models nothing is said here." in many


def test_one_set_of_samples_is_called_flattered() -> None:
    text = plain(chosen.sentences(found(flattered=("DiT-S/2", "DiT-B/2"))))
    assert "The recipes of DiT-S/2 and DiT-B/2 have no second set of samples in common" in text
    assert "is flattered" in text and "evaluation with another sampling seed" in text
    assert chosen.sentences(found()) == [] == chosen.choices_table(found())


def test_the_table_has_both_values_and_counts_what_it_leaves_out() -> None:
    (table,) = chosen.choices_table(found(choice(), choice("DiT-B/2", se=float("nan"))))
    (one, other) = table.rows
    assert one[:6] == ["DiT-S/2", "3", "lr 0.004", "sampling seed 0", "18.0", "sampling seeds 1, 2"]
    assert one[6].text == "20.0 ± 1.0" and other[6].text == "20.0"
    assert "of these checkpoints sampled again" in plain(table.caption)
    many = [choice(f"DiT-{i}/2", chosen_on="seed 0") for i in range(chosen.MOST + 3)]
    (table,) = chosen.choices_table(found(*many))
    assert len(table.rows) == chosen.MOST and "3 more models" in plain(table.caption)
    assert table.rows[0][3] == "training seed 0"


def rates(make, **sampling):
    """S and B at two rates; a second evaluation of each where `sampling` says how."""
    parts = []
    for i, rate in enumerate((0.001, 0.002)):
        one = make.frames(sizes=("S", "B"), patches=(4,), milestones=(1500,), sweep=())["metrics"]
        one = one[one["of"] == "samples"].assign(learning_rate=rate, std=0.2)
        one["value"] = one["value"].astype(float) * (1 - 0.3 * i)
        one["recipe"] = json.dumps({"ema": 0.999})
        parts.append(one.assign(run=one["run"] + f"-{i}"))
    rows = pd.concat(parts, ignore_index=True)
    if sampling:
        other = rows.assign(key=rows["key"] + "-again", value=rows["value"] + 1, **sampling)
        rows = pd.concat([rows, other], ignore_index=True)
    frames = {**make.frames(sizes=()), "metrics": rows}
    return make.report(frames, ("factors",), samples={}, complexity=())


@pytest.mark.slow
@pytest.mark.parametrize("sampling", [{"sampling_seed": 5}, {"sampling_seed": 5, "samples": 500}])
def test_a_study_with_other_samples_chooses_on_them(make, sampling) -> None:
    report = rates(make, **sampling)
    assert "is flattered" not in said(report)
    rows = cells_of(report, "tab-choice")["rows"]
    assert [r[0] for r in rows] == ["DiT-micro-S/4", "DiT-micro-B/4"]
    assert {r[2] for r in rows} == {"lr 0.002"}
    on = {(r[3], r[5]) for r in rows}
    swapped = ("sampling seed 5", "sampling seed 0")
    assert on == {swapped if "samples" in sampling else swapped[::-1]}


@pytest.mark.slow
def test_a_study_with_one_set_of_samples_says_that_its_best_is_flattered(make) -> None:
    text = said(rates(make))
    assert "The recipes of DiT-micro-S/4 and DiT-micro-B/4 have no second set of samples" in text
    assert "chosen on other samples" not in text

"""Two sections on equal compute: trainings beside each other, and the best size of each budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.sections.alternatives import sentences


def of_two_objectives(make, gap, **shape):
    """Two trainings of equal compute, each with its own sampler; `gap`: of their values."""
    found = make.frames(sizes=("S",), patches=(2,), milestones=(1500,), sweep=(), **shape)
    rows = found["metrics"].assign(std=0.5, std_df=20.0)
    ours = rows[rows["of"] == "samples"]
    other = ours.assign(
        run="other-" + ours["run"], objective="flow", sampler="flow-euler",
        recipe='{"objective": "flow"}', value=ours["value"] * gap, key=ours["key"] + "-flow",
    )  # fmt: skip
    found["metrics"] = pd.concat([rows, other], ignore_index=True)
    return found


def again(found, of=slice(None), **sampling):
    """The same, and a second evaluation of the samples' rows `of`, a little worse."""
    rows = found["metrics"]
    other = rows[rows["of"] == "samples"].iloc[of].assign(**sampling)
    other = other.assign(key=other["key"] + "-again", value=other["value"] * 1.02)
    return {**found, "metrics": pd.concat([rows, other], ignore_index=True)}


@pytest.mark.slow
def test_trainings_of_equal_compute_stand_beside_each_other_whatever_samples_them(make):
    report = make.report(of_two_objectives(make, 2.0), ("alternatives",))
    table = cells_of(report, "tab-alternatives")
    rows = table["rows"]
    assert [row[2] for row in rows] == ["ancestral 50", "flow-euler 50"]
    assert [row[-1] for row in rows] == ["best, flattered", "apart"]
    assert rows[0][7] == "" and rows[1][7].startswith("+") and "±" in rows[1][7]
    assert table["head"][0][-1] == "" and isinstance(rows[0][6], str)  # not in bold
    text = said(report)
    assert (
        "In the one budget with several trainings the best is told from all its others: DiT-"
        in text
    )
    assert "The trainings of this budget have no second set of samples in common" in text
    assert "its value is flattered" in text and "“best, flattered”" in text


@pytest.mark.slow
def test_a_difference_within_the_noise_is_called_a_tie(make):
    report = make.report(of_two_objectives(make, 1.001), ("alternatives",))
    assert cells_of(report, "tab-alternatives")["rows"][1][-1] == "tie"
    assert "In the one budget with several trainings is no best told from all its others." in said(
        report
    )


@pytest.mark.slow
def test_two_training_seeds_choose_and_value(make):
    report = make.report(of_two_objectives(make, 2.0, seeds=(0, 1)), ("alternatives",))
    table = cells_of(report, "tab-alternatives")
    best, other = table["rows"]
    assert best[-1] == "best" and best[6]["strong"] and isinstance(other[6], str)
    text = said(report)
    assert "The best is chosen on training seed 0; its value and its differences are of" in text
    assert "“best”: chosen on training seed 0; the budget's values and differences are of" in text
    assert "flattered" not in text and "± is half a 95% interval, over training seeds" in text


@pytest.mark.slow
def test_a_second_evaluation_of_other_samples_chooses_and_the_reported_one_values(make):
    found = again(of_two_objectives(make, 2.0), sampling_seed=5, samples=500)
    report = make.report(found, ("alternatives",))
    best, other = cells_of(report, "tab-alternatives")["rows"]
    assert (best[-1], other[-1]) == ("best", "apart")
    once = make.report(of_two_objectives(make, 2.0), ("alternatives",))
    values = [row[6] for row in cells_of(once, "tab-alternatives")["rows"]]
    assert [best[6]["text"], other[6]] == values
    text = said(report)
    assert (
        "The best is chosen on sampling seed 5; its value and its differences are of sampling"
        in (text)
    )
    assert "of these checkpoints sampled again" in text


@pytest.mark.slow
def test_some_budgets_are_chosen_on_others_and_the_rest_are_called_flattered(make):
    found = of_two_objectives(make, 2.0)
    rows = found["metrics"]
    early = rows[rows["of"] == "samples"].assign(step=750, key=lambda r: r["key"] + "-early")
    early = early.assign(train_gflops=early["train_gflops"] / 2)
    both = again(found, sampling_seed=5)
    both["metrics"] = pd.concat([both["metrics"], early], ignore_index=True)
    report = make.report(both, ("alternatives",))
    rows = cells_of(report, "tab-alternatives")["rows"]
    assert [row[-1] for row in rows] == ["best, flattered", "apart", "best", "apart"]
    assert isinstance(rows[0][6], str) and rows[2][6]["strong"]
    text = said(report)
    assert "In one of them the best is chosen on sampling seed 0; its value" in text
    assert "The trainings of the other budget have no second set of samples in common" in text


@pytest.mark.slow
def test_where_bests_were_chosen_on_different_samples_a_column_names_them(make):
    found = of_two_objectives(make, 2.0)
    rows = found["metrics"]
    early = rows[rows["of"] == "samples"].assign(step=750, key=lambda r: r["key"] + "-early")
    early = early.assign(train_gflops=early["train_gflops"] / 2)
    twice = [early, early.assign(sampling_seed=7, key=early["key"] + "-again")]
    both = again(found, sampling_seed=5)
    both["metrics"] = pd.concat([both["metrics"], *twice], ignore_index=True)
    report = make.report(both, ("alternatives",))
    table = cells_of(report, "tab-alternatives")
    assert table["head"][0][-1] == "chosen on; values of"
    assert [row[8:] for row in table["rows"]] == [
        ["best", "sampling seed 0; 7"], ["apart", ""], ["best", "sampling seed 0; 5"], ["apart", ""]
    ]  # fmt: skip
    assert "chosen on the samples named first; the budget's values and differences are of the" in (
        said(report)
    )


@pytest.mark.slow
def test_a_training_that_lacks_the_seeds_of_others_is_not_compared(make):
    found = of_two_objectives(make, 2.0, seeds=(0, 1))
    rows = found["metrics"]
    third = rows[(rows["objective"] == "flow") & (rows["seed"] == 0)].assign(
        objective="edm", recipe='{"objective": "edm"}', value=lambda r: r["value"] / 8,
        key=lambda r: r["key"] + "-edm", run="edm",
    )  # fmt: skip
    found["metrics"] = pd.concat([rows, third], ignore_index=True)
    report = make.report(found, ("alternatives",))
    rows = cells_of(report, "tab-alternatives")["rows"]
    assert [row[8] for row in rows] == ["best", "apart", "not compared"]
    assert "edm" in rows[2][0] and rows[2][7] == ""
    text = said(report)
    assert (
        "is no best told from all its others" in text and "“not compared”: it has too few" in text
    )


def judged(budgets):
    """Rows of `alternatives` of which each budget's last says so; "+": chosen on other samples."""
    rows = []
    for i, word in enumerate(budgets):
        verdict, plus, _ = word.partition("+")
        on = {"chosen_on": "seed 0", "valued_on": "seed 1"} if plus else dict.fromkeys(
            ("chosen_on", "valued_on"))  # fmt: skip
        rows.append(
            {"budget": i, "label": f"m{i}", "best": True, "apart": None, "ahead": False, **on}
        )
        if verdict != "best":
            apart = None if verdict == "lacking" else verdict in ("apart", "ahead")
            rows.append({"budget": i, "label": f"o{i}", "best": False, "apart": apart,
                         "ahead": verdict == "ahead", **on})  # fmt: skip
    return pd.DataFrame(rows)


ON = " is chosen on training seed 0; its value and its differences are of training seed 1. "
SAME = (" have no second set of samples in common: the best is chosen on the samples that are "
        "reported, and its value is flattered. A second training seed, or an evaluation with "
        "another sampling seed, would give others. ")  # fmt: skip


@pytest.mark.parametrize(
    ("budgets", "text"),
    [
        (["best"], "No two trainings cost the same. "),
        (["apart+", "apart+"], "In each of the two budgets with several trainings the best is told "
                               "from all its others: m0 and m1. The best of each" + ON),
        (["apart+", "tie+", "best"], "In one of the two budgets with several trainings the best is "
                                     "told from all its others: m0. In the other it is not. The "
                                     "best of each" + ON),
        (["tie", "apart", "tie"], "In one of the three budgets with several trainings the best is "
                                  "told from all its others: m1. In the others it is not. "
                                  "The trainings of these budgets" + SAME),
        (["tie+", "tie"], "In none of the two budgets with several trainings is the best told from "
                          "all its others. In one of them the best" + ON +
                          "The trainings of the other budget" + SAME),
        (["tie+", "tie", "tie"], "In none of the three budgets with several trainings is the best "
                                 "told from all its others. In one of them the best" + ON +
                                 "The trainings of the other two budgets" + SAME),
        (["ahead+"], "In the one budget with several trainings is no best told from all its "
                     "others. The best" + ON),
        (["lacking+"], "In the one budget with several trainings is no best told from all its "
                       "others. The best" + ON),
        (["apart"], "In the one budget with several trainings the best is told from all its "
                    "others: m0. The trainings of this budget" + SAME),
        (["apart+"] * 9, "In each of the nine budgets with several trainings the best is told from "
                         "all its others: m0, m1, m2, m3, m4, m5 and three more. The best "
                         "of each" + ON),
    ],
)  # fmt: skip
def test_it_says_in_how_many_budgets_one_is_best_and_where_it_was_chosen(budgets, text):
    assert "".join(map(str, sentences(judged(budgets)))) == text


def test_where_budgets_were_chosen_on_different_samples_the_text_names_none():
    rows = judged(["tie+", "tie+"])
    rows.loc[rows["budget"] == 1, ["chosen_on", "valued_on"]] = [
        "sampling_seed 0",
        "sampling_seed 1",
    ]
    text = "".join(map(str, sentences(rows)))
    assert "The best of each is chosen on other trainings or samples; its value and" in text
    assert "differences are of the rest. " in text


def on_a_surface(make, noise=0.01):
    """Checkpoints whose best size grows as the budget to the power 0.5."""
    found = make.frames(patches=(2,), milestones=(100, 200, 400, 800, 1600), sweep=())
    rows = found["metrics"].copy()
    ours = rows["metric"].str.startswith("fd") & (rows["of"] == "samples")
    f = rows.loc[ours, "gflops"].astype(float)
    d = rows.loc[ours, "step"].astype(float) * rows.loc[ours, "batch_size"].astype(float)
    g = f.to_numpy() * 1e3
    value = 2 + 8 * g**-0.5 + 8 * (d.to_numpy() / 3e4) ** -0.5
    wobble = np.exp(np.random.default_rng(0).normal(0, noise, len(value)))
    rows.loc[ours, "value"] = value * wobble
    rows["std"], rows["std_df"] = rows["value"] * noise, 30.0
    found["metrics"] = rows
    return found


@pytest.mark.slow
def test_the_best_size_of_each_budget_is_that_of_the_surface(make):
    report = make.report(on_a_surface(make), ("isoflop",))
    rows = cells_of(report, "tab-isoflop")["rows"]
    assert len(rows) == 5
    for row in rows:
        budget, best = (float(row[i].split(" [")[0].replace(",", "")) for i in (0, 1))
        # of 8 (1e3 F)^-1/2 + 8 (D / 3e4)^-1/2 at 3 F D = budget: 1e3 F = D / 3e4
        assert 0.5 < best / 1e3 / np.sqrt(budget / 3 / 3e7) < 2
    assert "grow as the budget to the power" in said(report)


@pytest.mark.slow
def test_too_few_sizes_give_no_surface_and_say_why(make):
    found = make.frames(sizes=("S", "B"), patches=(2,), sweep=())
    assert "needs eight points of three sizes" in said(make.report(found, ("isoflop",)))


@pytest.mark.slow
def test_values_that_follow_no_power_law_give_no_best_size(make):
    found = on_a_surface(make)
    rows = found["metrics"]
    early = rows["step"].fillna(9999).astype(int) < 800
    rows.loc[early, "value"] = 60.0
    assert "No best size is claimed" in said(make.report(found, ("isoflop",)))

"""Two sections on equal compute: trainings beside each other, and the best size of each budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.sections.alternatives import sentences


def of_two_objectives(make, gap):
    """Two trainings of equal compute, each with its own sampler; `gap`: of their values."""
    found = make.frames(sizes=("S",), patches=(2,), milestones=(1500,), sweep=())
    rows = found["metrics"].assign(std=0.5, std_df=20.0)
    ours = rows[rows["of"] == "samples"]
    other = ours.assign(
        run="other", objective="flow", sampler="flow-euler", recipe='{"objective": "flow"}',
        value=ours["value"] * gap, key=ours["key"] + "-flow",
    )  # fmt: skip
    found["metrics"] = pd.concat([rows, other], ignore_index=True)
    return found


@pytest.mark.slow
def test_trainings_of_equal_compute_stand_beside_each_other_whatever_samples_them(make):
    report = make.report(of_two_objectives(make, 2.0), ("alternatives",))
    rows = cells_of(report, "tab-alternatives")["rows"]
    assert [row[2] for row in rows] == ["ancestral 50", "flow-euler 50"]
    assert [row[-1] for row in rows] == ["best", "apart"]
    assert (
        "In the one budget with several trainings the best is told from all its others: DiT-"
        in said(report)
    )


@pytest.mark.slow
def test_a_difference_within_the_noise_is_called_a_tie(make):
    report = make.report(of_two_objectives(make, 1.001), ("alternatives",))
    assert cells_of(report, "tab-alternatives")["rows"][1][-1] == "tie"
    assert "In the one budget with several trainings is no best told from all its others." in said(
        report
    )


@pytest.mark.parametrize(
    ("budgets", "text"),
    [
        (["best"], "No two trainings cost the same. "),
        (["apart", "apart"], "In each of the two budgets with several trainings the best is told "
                             "from all its others: m0 and m1. "),
        (["apart", "tie", "best"], "In one of the two budgets with several trainings the best is "
                                   "told from all its others: m0. In the other it is not. "),
        (["tie", "apart", "tie"], "In one of the three budgets with several trainings the best is "
                                  "told from all its others: m1. In the others it is not. "),
        (["tie", "tie"], "In none of the two budgets with several trainings is the best told from "
                         "all its others. "),
        (["apart"] * 9, "In each of the nine budgets with several trainings the best is told from "
                        "all its others: m0, m1, m2, m3, m4, m5 and three more. "),
    ],
)  # fmt: skip
def test_it_says_in_how_many_budgets_one_is_best(budgets, text):
    rows = []
    for i, verdict in enumerate(budgets):
        rows.append({"budget": i, "label": f"m{i}", "apart": None})
        if verdict != "best":
            rows.append({"budget": i, "label": f"o{i}", "apart": verdict == "apart"})
    assert "".join(map(str, sentences(pd.DataFrame(rows)))) == text


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

"""Figure 9: the envelope, the best model per budget and the crossings, with intervals."""

from __future__ import annotations

from report_words import cells_of, said


def swept(make, std=0.01):
    found = make.frames(sizes=("S", "B", "XL"), patches=(2,), sweep=(), noise=0.0,
                        milestones=(50, 200, 800, 3200))  # fmt: skip
    rows = found["metrics"]
    if std:
        rows["std"] = rows["value"].astype(float) * std
    return make.report(found, ("training-compute",), samples={})


def test_the_best_model_of_a_budget_is_told_with_what_ties_with_it(make):
    rows = cells_of(swept(make), "tab-budgets")["rows"]
    assert rows and all("±" in row[2] for row in rows)
    assert {row[1] for row in rows} <= {f"DiT-micro-{s}/2" for s in ("S", "B", "XL")}
    assert any(row[3] == "none" for row in rows)


def test_crossings_have_an_interval_or_say_that_it_is_open(make):
    rows = cells_of(swept(make), "tab-crossings")["rows"]
    assert [row[:2] for row in rows] == [
        ["DiT-micro-S/2", "DiT-micro-B/2"],
        ["DiT-micro-B/2", "DiT-micro-XL/2"],
    ]
    assert all(row[2] in ("crossing", "larger ahead throughout", "smaller ahead throughout")
               for row in rows)  # fmt: skip
    without = cells_of(swept(make, std=0), "tab-crossings")["rows"]
    assert {row[4] for row in without} == {"open"}
    assert "no standard errors" in said(swept(make, std=0))

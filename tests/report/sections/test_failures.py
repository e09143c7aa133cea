"""The section on failures: every stage and value that is not there, and why."""

from __future__ import annotations

import pandas as pd
import pytest
from report_words import cells_of, said

from harness.report.sections.failures import MOST


def report(make, missing=(), failures=(), found=None):
    found = make.frames(sizes=()) if found is None else found
    return make.report(found, ("failures",), missing=missing, failures=failures, samples={})


@pytest.mark.slow
def test_the_last_words_of_an_error_stand_beside_its_stage(make) -> None:
    missing = ["train DiT-S/2: failed", "sample DiT-B/2: not started", "evaluate DiT-B/2"]
    made = report(make, missing, [("train DiT-S/2: failed", "CUDA out of memory")])
    assert cells_of(made, "tab-failures")["rows"] == [
        ["train DiT-S/2", "CUDA out of memory"],
        ["sample DiT-B/2", "not started"],
        ["evaluate DiT-B/2", "not done"],  # not its own name again
    ]
    assert "3 stages that are not done" in said(made)


def test_a_failure_that_is_not_missing_any_more_is_told_too(make) -> None:
    made = report(make, [], [("train DiT-S/2: failed", "killed")])
    assert cells_of(made, "tab-failures")["rows"] == [["train DiT-S/2", "killed"]]


@pytest.mark.slow
def test_values_that_are_not_finite_are_named_with_model_and_step(make) -> None:
    found = make.frames(sizes=("S",), patches=(2,), milestones=(1500,), sweep=())
    rows = found["metrics"]
    rows.loc[0, "value"] = float("inf")
    rows.loc[1, ["value", "step"]] = [float("nan"), pd.NA]
    made = report(make, found=found)
    told = cells_of(made, "tab-failures")["rows"]
    assert told == [
        ["DiT-micro-S/2 at step 1,500", f"{rows['metric'][0]} is infinite"],
        ["DiT-micro-S/2 at an unknown training step", f"{rows['metric'][1]} is not a number"],
    ]
    assert "2 values that are not finite" in said(made)


@pytest.mark.slow
def test_real_images_values_are_none_of_the_studys(make) -> None:
    found = make.frames(sizes=("S",), patches=(2,), milestones=(1500,), sweep=())
    rows = found["metrics"]
    rows.loc[rows["of"] == "floor", "value"] = float("nan")
    assert "Everything that the study asks for is done and finite." in said(
        report(make, found=found)
    )


@pytest.mark.slow
def test_what_is_cut_is_counted(make) -> None:
    missing = [f"train {k}: failed" for k in range(MOST + 5)]
    found = make.frames(sizes=("S",), patches=(2,), milestones=(1500,))
    found["metrics"]["value"] = float("nan")
    lost = int((found["metrics"]["of"] == "samples").sum())
    found["metrics"] = pd.concat([found["metrics"]] * 4, ignore_index=True)
    made = report(make, missing, found=found)
    assert len(cells_of(made, "tab-failures")["rows"]) == 2 * MOST
    text = said(made)
    assert "5 more stages are not shown." in text
    assert f"{4 * lost - MOST:,} more values are not shown." in text


@pytest.mark.slow
@pytest.mark.parametrize("gflops", [0.0, -1.0, None])
def test_models_that_cost_nothing_are_named_and_compared_nowhere(make, gflops) -> None:
    """A cost of 0 ended `report` in a traceback, a negative one in a word on laws."""
    found = make.frames(patches=(2,), milestones=(1500,), sweep=())
    rows = found["metrics"]
    rows.loc[(rows["size"] == "XL").fillna(False), "gflops"] = gflops
    (told,) = cells_of(report(make, found=found), "tab-failures")["rows"]
    assert told[0] == "DiT-micro-XL/2" and told[1].startswith("Gflops per forward pass: ")
    assert "of 1 model no Gflops were counted" in said(report(make, found=found))
    made = make.report(found, ("gflops", "training-compute", "models"), samples={})
    assert "Pearson" in said(made) or "compute" in said(made)

"""The section on sampling compute (Figure 10)."""

from __future__ import annotations

import pytest
from report_words import said


def report(make, std=None, **shape):
    found = make.frames(**{"sizes": ("L", "XL"), "patches": (2,), "milestones": (1500,),
                           "noise": 0.0, **shape})  # fmt: skip
    if std is not None:
        found["metrics"]["std"] = std * found["metrics"]["value"].astype(float)
    return make.report(found, ("sampling-compute",), samples={})


@pytest.mark.slow
def test_the_step_counts_and_the_pairs_are_told(make) -> None:
    text = said(report(make, 0.001))
    assert "samples with 4, 8, 16, 32 and 64 steps." in text
    assert "of 1 pair of checkpoints that differ in size alone, the larger is ahead in" in text
    assert "1 , the smaller in 0, and 0 are undecided" in text
    assert "500 samples" in text  # how the sweep was measured, not the final values


@pytest.mark.slow
def test_without_errors_nobody_is_ahead(make) -> None:
    text = said(report(make))
    assert "Without standard errors it is not decided which of two models is ahead" in text
    assert "Rings" not in text


@pytest.mark.slow
def test_one_number_of_steps_is_no_sweep(make) -> None:
    assert "not sampled" not in said(report(make, sweep=(), sizes=("S",)))
    text = said(report(make, sweep=(), sizes=("S",)))
    assert "No model was sampled at more than one number of steps." in text

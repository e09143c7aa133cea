"""The table of laws: a row for each that was fitted, and what it said of the largest model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.analysis.law import scaling_law
from harness.report.blocks import plain
from harness.report.findings import find
from harness.report.laws import laws_table

C = np.geomspace(0.4, 126, 8)


@pytest.fixture(scope="module")
def found(make):
    return find(make.report(make.frames(sweep=(), milestones=(1500,)), ("gflops",), samples={}))


@pytest.mark.slow
def test_every_law_has_its_row_and_its_prediction_of_the_largest_model(found):
    values = 5 + 300 * C**-0.4 * np.exp(0.03 * np.random.default_rng(0).normal(size=8))
    law = scaling_law(C, values, 0.03 * values)
    given = dataclasses.replace(
        found,
        laws={"lr 0.1": law, "lr 0.2": law},
        learned_laws={"lr 0.2": law},
        limit_laws={"": law},
    )
    (made,) = laws_table(given)
    assert [row[0] for row in made.rows] == [
        "lr 0.1", "lr 0.2", "lr 0.2, that learned", "extrapolated to infinitely many samples",
    ]  # fmt: skip
    first = made.rows[0]
    assert first[1] == "8" and str(first[2]).startswith("0.") and "[" in str(first[2])
    assert law.left_out is not None
    assert f"{100 * law.left_out.error:+.0f}%".replace("-", "−") == first[-1]
    assert len(first) == len(made.head[1]) == len(made.align)
    assert "Scatter: of models about the law" in plain(made.caption)


@pytest.mark.slow
def test_without_a_law_there_is_no_table(found):
    none = dataclasses.replace(found, laws={}, learned_laws={}, limit_laws={})
    assert laws_table(none) == []

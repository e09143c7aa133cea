"""The ceiling beside values is of their reference, number and decoder, or there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from harness.analysis import selection
from harness.report.ceilings import ceiling_of
from harness.store import tables

BASE = {
    "metric": "fd",
    "of": "samples",
    "model": "S",
    "value": 5.0,
    "std": 0.1,
    "std_df": 4,
    "samples": 1000,
    "k": 3,
    "split_size": 1000,
    "decoder": "original",
    "reference_key": "r" * 64,
    "step": 100,
    "sampling_steps": 10,
    "guidance_scale": 1.0,
}


ASKED = {"samples": 1000, "k": 3, "split_size": 1000, "decoder": "original"}
PROTOCOL = selection.Protocol(
    **{f.name: ASKED.get(f.name) for f in dataclasses.fields(selection.Protocol)}
)


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    whole = [{**BASE, "key": f"{i:064d}", **row} for i, row in enumerate(rows)]
    return pd.DataFrame(whole, columns=[column.name for column in tables.TABLES["metrics"]])


def beside(rows: pd.DataFrame) -> Any:
    samples = rows[rows["of"] == "samples"]
    return ceiling_of(rows, "fd", samples, PROTOCOL)


NOISE = {"of": "ceiling", "value": 90.0, "std": 0.5, "std_df": 9}


def test_it_comes_with_its_standard_error() -> None:
    found = beside(frame({}, NOISE))
    assert found.value == 90.0 and found.noise == (0.5, 9)


@pytest.mark.parametrize(
    "other",
    [{"samples": 500}, {"decoder": "ft-mse"}, {"reference_key": "q" * 64}, {"k": 5}],
)
def test_one_that_was_measured_otherwise_is_none_of_theirs(other: dict[str, Any]) -> None:
    assert beside(frame({}, {**NOISE, **other})) is None
    found = beside(frame({}, NOISE, {**NOISE, **other, "value": 70.0}))
    assert found is not None and found.value == 90.0


def test_two_that_nothing_tells_apart_are_none() -> None:
    assert beside(frame({}, NOISE, {**NOISE, "value": 91.0})) is None


def test_without_a_standard_error_it_is_a_value_alone() -> None:
    found = beside(frame({}, {**NOISE, "std": None, "std_df": None}))
    assert found.value == 90.0 and found.noise is None

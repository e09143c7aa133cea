"""Floors and ceilings beside values are of their reference, number and way, or there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from harness.analysis.limits import Limit, ceiling_beside, floor, floor_beside
from harness.analysis.protocol import Protocol
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
PROTOCOL = Protocol(**{f.name: ASKED.get(f.name) for f in dataclasses.fields(Protocol)})


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    whole = [{**BASE, "key": f"{i:064d}", **row} for i, row in enumerate(rows)]
    return pd.DataFrame(whole, columns=[column.name for column in tables.TABLES["metrics"]])


def beside(rows: pd.DataFrame) -> Any:
    samples = rows[rows["of"] == "samples"]
    return ceiling_beside(rows, "fd", PROTOCOL, samples)


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


REAL = {"of": "floor", "value": 0.9, "std": None, "std_df": None, "k": None, "model": None}


def way(**asked: Any) -> Protocol:
    return dataclasses.replace(PROTOCOL, **{"k": None, **asked})


def test_the_floor_is_that_of_real_images_and_missing_if_never_measured() -> None:
    assert floor(frame({}, REAL), "fd") == 0.9
    assert floor(frame({"floor": 0.7}), "fd") == 0.7
    assert floor(frame({}), "fd") is None and floor(frame(), "fid") is None


def test_floors_of_several_references_are_not_averaged() -> None:
    assert (
        floor(frame({}, REAL, {**REAL, "value": 1.7, "reference_sha256": "b" * 64}), "fd") is None
    )


def test_the_floor_beside_values_is_of_as_many_images_and_their_k() -> None:
    two = (REAL, {**REAL, "value": 0.7, "samples": 2000})
    assert floor_beside(frame({}, *two), "fd", way()) == Limit(0.9, 1000)
    assert floor(frame({}, *two), "fd") is None  # no one number is the floor of all
    assert floor_beside(frame({"samples": 1500}, *two), "fd", way(samples=1500)) == Limit(0.7, 2000)
    fewer = frame({"samples": 5000}, REAL)
    assert floor_beside(fewer, "fd", way(samples=5000)) == Limit(0.9, 1000)  # says how few
    of_k = frame({"k": 5}, {**REAL, "k": 3}, {**REAL, "k": 5, "value": 0.8})
    assert floor_beside(of_k, "fd", way(k=5)) == Limit(0.8, 1000)


def test_a_floor_comes_with_its_standard_error() -> None:
    found = floor_beside(frame({}, {**REAL, "std": 0.05, "std_df": 7}), "fd", way())
    assert found is not None and found.noise == (0.05, 7)


def test_a_floor_that_says_nothing_is_none() -> None:
    values = frame({}, {**REAL, "value": 0.0})
    values["invalid"] = [None, "its images are among the reference's"]
    assert floor(values, "fd") is None

"""Frames ready to be drawn: groups, intervals, and who did not learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.report.prepared import numbers, prepared, strings_in_python


def rows(**columns) -> pd.DataFrame:
    base = {"label": ["DiT-S/2", "DiT-S/2 lr 0.1"], "model": ["DiT-S/2"] * 2, "value": [10.0, 20.0]}
    return pd.DataFrame({**base, **columns})


def test_the_group_is_what_the_label_adds_to_the_model() -> None:
    assert prepared(rows())["group"].tolist() == ["", "lr 0.1"]
    assert prepared(rows(), "reference abc")["group"].tolist() == [
        "reference abc", "lr 0.1 reference abc",
    ]  # fmt: skip
    assert prepared(rows().drop(columns="model"))["group"].tolist() == ["", ""]


def test_families_are_groups_where_there_are_several() -> None:
    assert prepared(rows(family=["DiT", "DiT"]))["group"].tolist() == ["", "lr 0.1"]
    assert prepared(rows(family=["DiT", "U-ViT"]))["group"].tolist() == ["DiT", "U-ViT lr 0.1"]
    assert prepared(rows(family=["DiT", None]))["group"].tolist() == ["", "lr 0.1"]


def test_intervals_are_students_where_the_error_was_estimated() -> None:
    made = prepared(rows(se=[1.0, np.nan], se_df=[4.0, np.nan]))
    half = stats.t.ppf(0.975, 4)
    assert made["low"][0] == pytest.approx(10 - half) and made["high"][0] == pytest.approx(
        10 + half
    )
    assert np.isnan(made["low"][1]) and np.isnan(made["high"][1])
    assert prepared(rows())["low"].isna().all()


def test_learned_is_said_only_beside_a_ceiling() -> None:
    assert prepared(rows(se=0.1))["learned"].tolist() == [None, None]
    made = prepared(rows(se=0.1), ceiling=20.1)
    assert made["learned"].tolist() == [True, False]
    turned = prepared(rows(se=0.1), ceiling=10.1, higher=True)
    assert turned["learned"].tolist() == [False, True]


def test_the_given_frame_stays_as_it_was() -> None:
    given = rows(se=0.1)
    before = given.copy()
    prepared(given, ceiling=20.0)
    pd.testing.assert_frame_equal(given, before)
    assert len(prepared(given.iloc[:0])) == 0


def test_numbers_of_nulls_and_of_no_column() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})
    assert numbers(frame, "n").tolist()[0] == 1.0 and np.isnan(numbers(frame, "n")[1])
    assert np.isnan(numbers(frame, "no")).all() and len(numbers(frame, "no")) == 2


def test_strings_are_held_in_python_and_say_the_same():
    arrow = pd.StringDtype("pyarrow", na_value=np.nan)
    given = pd.DataFrame({"a": pd.array(["x", None, "y"], arrow), "b": [1.0, 2.0, np.nan]})
    before = pd.get_option("mode.string_storage")
    with strings_in_python({"metrics": given}) as frames:
        assert frames["metrics"]["a"].dtype.storage == "python"
        assert pd.Series(["made", "within"]).dtype.storage == "python"
        pd.testing.assert_frame_equal(frames["metrics"].astype({"a": arrow}), given)
        assert frames["metrics"]["a"].isna().tolist() == [False, True, False]
    assert pd.get_option("mode.string_storage") == before
    assert given["a"].dtype.storage == "pyarrow", "what was given is as it was"

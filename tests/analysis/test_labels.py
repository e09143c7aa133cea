"""A model's label says what varies, and nothing more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from measured_rows import B, S, final, frame, recipe, row

from harness.analysis.labels import AGAINST, data_in_words, labelled, plain, series


def test_labels_name_what_else_differs_and_nothing_more():
    labels = labelled(frame(row(S), row(S, block="in-context"), row(S, seed=1)))["label"]
    assert labels.tolist() == [f"{S} adaln-zero", f"{S} in-context", f"{S} adaln-zero"]
    whole = frame(row(S, image_size=256.0), row(S, image_size=512.0))
    assert labelled(whole)["label"].tolist() == [f"{S} 256 px", f"{S} 512 px"]


def test_models_trained_another_way_are_told_apart_not_averaged():
    rows = [
        row(S, 10.0),
        row(S, 20.0, recipe=recipe(ema=0.99)),
        row(S, 30.0, recipe=recipe(flip=False)),
    ]
    got = final(*rows)
    assert dict(zip(got["label"], got["value"], strict=True)) == {
        f"{S} ema 0.9999, flip on": 10.0,
        f"{S} ema 0.99, flip on": 20.0,
        f"{S} ema 0.9999, flip off": 30.0,
    }


def test_settings_that_differ_in_a_late_digit_are_told_apart():
    got = final(row(S, 10.0, learning_rate=1e-3), row(S, 20.0, learning_rate=1.0000001e-3))
    assert sorted(got["value"]) == [10.0, 20.0]
    got = final(row(S, 10.0), row(S, 20.0, recipe=recipe(ema=0.99990001)))
    assert sorted(got["value"]) == [10.0, 20.0]


def test_runs_that_no_recorded_setting_tells_apart_are_not_averaged():
    """Records from before recipes were written: the run's id alone says that they differ."""
    one, two = (row(S, v, recipe=None, run=r * 64) for v, r in ((10.0, "a"), (20.0, "b")))
    got = final(one, two, row(B, 5.0, run="c" * 64))
    assert got["label"].tolist() == [f"{S} run aaaaaa", f"{S} run bbbbbb", B]
    assert got["value"].tolist() == [10.0, 20.0, 5.0]


def test_images_that_differ_by_an_axis_of_the_study_are_told_by_its_value() -> None:
    """Not by the checksum of their data, which nobody can read."""
    rows = frame(row(S, data_sha256="a" * 64, run="1"), row(S, data_sha256="b" * 64, run="2"))
    rows["data.channels"] = pd.array([1, 3], dtype="Int64")
    assert labelled(rows)["label"].tolist() == [f"{S} channels 1", f"{S} channels 3"]
    rows["data.flip"] = [True, False]
    assert labelled(rows)["label"].tolist() == [
        f"{S} channels 1, flip on",
        f"{S} channels 3, flip off",
    ]
    assert data_in_words(rows[:1], rows) == "channels 1, flip on"
    assert data_in_words(rows, rows) == data_in_words(rows[:1], rows[:1]) == ""
    same = rows.drop(columns=["data.channels", "data.flip"])
    assert labelled(same)["label"].tolist() == [f"{S} data aaaaaa", f"{S} data bbbbbb"]


def test_models_of_one_series_differ_in_size_or_patch_alone():
    rows = labelled(frame(row(S), row(B), row(B, block="in-context")))
    small, large, other = series(rows, "size")
    assert small == large != other
    assert len(set(series(rows, "patch_size"))) == 3, "sizes differ, and that is not along patches"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(float("nan"), None), (pd.NA, None), (np.float64(4.0), 4), (0.5, 0.5), (np.int64(3), 3)],
)
def test_every_null_is_none_and_a_whole_number_is_one(value, expected):
    found = plain(value)
    assert found == expected and type(found) is type(expected)


def test_the_reference_is_part_of_the_name_where_a_report_says_so() -> None:
    rows = frame(row(S), row(S), row(B))
    against = pd.Series(["reference ffffff", "reference 999999", None], dtype=object)
    found = labelled(rows.assign(**{AGAINST: against}))["label"].tolist()
    assert found == [f"{S} reference ffffff", f"{S} reference 999999", B]

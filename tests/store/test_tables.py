"""The records' schema."""

from __future__ import annotations

import json

import pytest

from harness.store import tables
from harness.store.tables import IDENTITY, TABLES, check, comparable, texts


@pytest.mark.parametrize("table", TABLES)
def test_names_are_columns_once_and_each_says_what_it_means(table: str) -> None:
    names = [column.name for column in TABLES[table]]
    assert len(set(names)) == len(names)
    assert set(IDENTITY[table]) <= set(names)
    for column in TABLES[table]:
        assert column.meaning and column.type in ("string", "int64", "float64", "bool")


@pytest.mark.parametrize("table", TABLES)
def test_what_identifies_a_row_may_not_differ_between_executions(table: str) -> None:
    assert set(IDENTITY[table]) <= set(comparable(table))
    assert not {"committed", "host", "images_per_second"} & set(comparable(table))


def test_an_object_becomes_canonical_text() -> None:
    row = texts({"recipe": {"b": 1, "a": [1, 2]}, "value": 1.5, "metric": "fd"})
    assert row == {"recipe": '{"a":[1,2],"b":1}', "value": 1.5, "metric": "fd"}
    with pytest.raises(ValueError, match="JSON"):
        texts({"recipe": {"a": float("nan")}})
    assert json.loads(row["recipe"])["a"] == [1, 2]


def test_a_column_that_nobody_knows_is_not_dropped_in_silence() -> None:
    with pytest.raises(KeyError, match=r"'metrics' has no column \['colour'\]"):
        check("metrics", {"key": "a", "colour": "red"})


@pytest.mark.parametrize(
    ("name", "value"), [("value", "1.5"), ("samples", 1.5), ("samples", True), ("metric", 3)]
)
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"metrics.{name} is"):
        check("metrics", {name: value})


def test_whole_numbers_are_numbers_and_none_is_of_every_type() -> None:
    check("metrics", {"value": 1, "samples": None, "metric": None})
    check("metrics", {c.name: None for c in tables.METRICS})

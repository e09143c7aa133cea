"""Record files: what each holds comes back whole, or is said to be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_files import put_parquet

from harness.store import fragments, records, tables
from harness.store.fragments import Damaged, UnreadableRecords, scan
from harness.store.records import read_frames

KEY = "k" * 64
VALUES = {
    "string": st.text(max_size=5) | st.none(),
    "int64": st.integers(-(2**63), 2**63 - 1) | st.none(),
    "float64": st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9) | st.none(),
    "bool": st.booleans() | st.none(),
}
ROW = st.fixed_dictionaries({c.name: VALUES[c.type] for c in tables.TRAINING if c.name != "step"})


@pytest.mark.slow
@given(st.lists(ROW, min_size=1, max_size=4))
def test_rows_come_back_as_they_were_written(rows: list[dict[str, Any]]) -> None:
    rows = [{**row, "key": KEY, "step": step} for step, row in enumerate(rows)]
    data = fragments.encode("training", rows)
    gathered = fragments.Gathered("training")
    gathered.add(fragments.decode(data, Path("x")))
    for found, given_ in zip(gathered.take().to_pylist(), rows, strict=True):
        for name, value in given_.items():
            assert found[name] == value and repr(found[name]).startswith(repr(value)), name


def test_a_fragment_lists_its_rows_in_the_order_of_their_identity() -> None:
    rows = [{"key": KEY, "metric": m, "value": v} for m, v in (("is", 2.0), ("fid", 1.0))]
    content = json.loads(fragments.encode("metrics", rows))
    assert content["columns"] == {"key": KEY, "metric": ["fid", "is"], "value": [1.0, 2.0]}
    assert (content["version"], content["rows"]) == (tables.VERSION, 2)


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_missing(tmp_path: Path, value: float) -> None:
    records.write(tmp_path, "metrics", KEY, [{"key": KEY, "metric": "a", "value": value}])
    table = pa.Table.from_pylist(
        [{"key": "o" * 64, "metric": m, "value": v} for m, v in (("a", value), ("b", 2.0))],
        schema=records.schema("metrics"),
    )
    put_parquet(tmp_path, "metrics", "o" * 64, table)
    frame = read_frames(tmp_path)["metrics"]
    assert frame["value"].isna().tolist() == [True, True, False]


def test_older_fragments_without_new_columns_read_as_null(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(
        [{"key": KEY, "metric": "m", "value": 2.0}], schema=records.schema("metrics")
    )
    put_parquet(tmp_path, "metrics", KEY, table.drop_columns(["k", "committed"]))
    frame = read_frames(tmp_path)["metrics"]
    assert frame.iloc[0]["value"] == 2.0 and frame["k"].isna().all()
    assert list(frame.columns) == [c.name for c in tables.METRICS]


def test_records_of_a_newer_version_say_which_wrote_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 1)
    monkeypatch.setattr("harness.version.__version__", "7.8.9")
    records.write(tmp_path / "fragment", "metrics", KEY, [{"key": KEY, "metric": "m"}])
    records.write(tmp_path / "compact", "metrics", KEY, [{"key": KEY, "metric": "m"}])
    records.compact(tmp_path / "compact", above=0)
    monkeypatch.undo()
    for root in ("fragment", "compact"):
        with pytest.raises(UnreadableRecords, match=r"written by harness 7\.8\.9.*update the code"):
            read_frames(tmp_path / root)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"version": 1, "rows": 1}',
        b'{"version": 1, "rows": 1, "columns": {}}',
        b'{"version": 1, "rows": 1, "columns": []}',
        b'{"version": 1, "rows": 2, "columns": {"key": ["a"]}}',
        b"\xff\xfe",
        b'{"version": "two", "rows": 1, "columns": {"key": ["a"]}}',
        b'{"version": null, "rows": 1, "columns": {"key": ["a"]}}',
    ],
)
def test_what_is_not_a_record_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(Damaged):
        fragments.decode(data, Path("x"))


def test_leftovers_of_a_killed_write_break_nothing(tmp_path: Path) -> None:
    records.write(tmp_path, "metrics", KEY, [{"key": KEY, "metric": "m"}])
    folder = tmp_path / "records" / "metrics"
    (folder / "_half.parquet.1234").write_bytes(b"PAR1")
    (folder / "x.parquet.tmp").write_bytes(b"PAR1")
    assert len(read_frames(tmp_path)["metrics"]) == 1


def test_a_compacted_file_without_its_list_of_keys_says_itself_what_it_holds(
    tmp_path: Path,
) -> None:
    for name in "ab":
        records.write(tmp_path, "metrics", name * 64, [{"key": name * 64, "metric": "m"}])
    records.compact(tmp_path, above=0)
    (listed,) = (tmp_path / "records" / "metrics").glob("*.keys")
    listed.unlink()
    assert scan(tmp_path, "metrics").keys == {"a" * 64, "b" * 64}


def test_a_reader_gives_up_with_words_where_files_go_on_vanishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.write(tmp_path, "metrics", KEY, [{"key": KEY, "metric": "m"}])
    waited: list[float] = []
    monkeypatch.setattr(fragments.time, "sleep", waited.append)

    def gone(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(fragments.files, "read_bytes", gone)
    with pytest.raises(UnreadableRecords, match="try again"):
        read_frames(tmp_path)
    assert sum(waited) > 60  # as old as a network disk's listing may be


@pytest.mark.parametrize("about", [{b"version": b"two"}, {b"version": b"\xff"}, {b"version": b""}])
def test_a_parquet_file_of_no_version_is_damaged(tmp_path: Path, about: dict[bytes, bytes]) -> None:
    """Every verb ended in a traceback."""
    rows = [{"key": KEY, "metric": "m", "value": 2.0}]
    table = pa.Table.from_pylist(rows, schema=records.schema("metrics"))
    put_parquet(tmp_path, "metrics", KEY, table.replace_schema_metadata(about))
    (path,) = (tmp_path / "records" / "metrics").glob("*.parquet")
    with pytest.raises(Damaged, match="no number"):
        fragments.parquet("metrics", path.read_bytes(), path)


def test_a_parquet_file_without_keys_is_damaged(tmp_path: Path) -> None:
    """Its rows were shown by `load_results`, as rows of nothing."""
    rows = [{"key": KEY, "metric": "m", "value": 2.0}]
    table = pa.Table.from_pylist(rows, schema=records.schema("metrics"))
    put_parquet(tmp_path, "metrics", KEY, table.drop_columns(["key"]))
    (path,) = (tmp_path / "records" / "metrics").glob("*.parquet")
    with pytest.raises(Damaged, match="no column key"):
        fragments.parquet("metrics", path.read_bytes(), path)

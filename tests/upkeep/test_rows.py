"""The rows of a results folder: of its records, of artifacts where those have none, each once."""

from __future__ import annotations

import pytest

from harness.store import records
from harness.store.artifacts import Store
from harness.upkeep.rows import rows_of


def rows(letter: str, value: float) -> dict[str, list[dict[str, object]]]:
    return {"metrics": [{"key": letter * 64, "metric": "fid", "value": value, "of": "samples"}]}


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_recorded_is_read_from_the_artifact(store: Store, commit) -> None:
    commit(store, "evaluate", "a", rows("a", 1.5))
    records.reconcile(store)
    commit(store, "evaluate", "b", rows("b", 2.5))
    damaged = commit(store, "evaluate", "c", rows("c", 3.5))
    (store.folder("evaluate", damaged) / "record.json").write_bytes(b"")
    records.write(store.root, "metrics", "d" * 64, rows("d", 4.5)["metrics"])  # without an artifact
    found = rows_of(store, "metrics")
    assert {key[0]: [row["value"] for row in of] for key, of in found.items()} == {
        "a": [1.5],
        "b": [2.5],
        "d": [4.5],
    }
    assert {"key": "a" * 64, "metric": "fid", "value": 1.5}.items() <= found["a" * 64][0].items()
    assert "extractor_sha256" not in found["a" * 64][0], "no column that nobody wrote"


def test_an_empty_folder_has_none(store: Store) -> None:
    assert rows_of(store, "training") == {}


def test_a_folder_without_records_has_those_of_its_artifacts(store: Store, commit) -> None:
    commit(store, "evaluate", "a", rows("a", 1.5))
    assert rows_of(store, "metrics") == {"a" * 64: rows("a", 1.5)["metrics"]}

"""A record file that is damaged, or of a newer harness: every verb that reads names it, shows each
committed number by its artifact, and says what it repaired."""

from __future__ import annotations

import builtins
import hashlib
import io
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from verbs import Said

from harness import load_results
from harness.plan.plan import Plan
from harness.store import Store, records, tables

ROOT = Path("results")
NEWER = f"was written by harness 9.9.9 (a newer harness: records version {tables.VERSION + 1};"


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def of_a_newer_harness(path: Path) -> None:
    """As it would write it: whole, under the checksum of its bytes."""
    if path.suffix == ".json":
        content = json.loads(path.read_bytes())
        content |= {"version": tables.VERSION + 1, "harness": "9.9.9"}
        data = json.dumps(content).encode()
    else:
        rows, buffer = pq.read_table(path), io.BytesIO()
        about = {b"version": str(tables.VERSION + 1).encode(), b"harness": b"9.9.9"}
        pq.write_table(rows.replace_schema_metadata(about), buffer)
        data = buffer.getvalue()
    stem = f"{path.name.split('.')[0]}.{hashlib.sha256(data).hexdigest()[:16]}"
    path.unlink()
    path.with_name(stem + path.suffix).write_bytes(data)
    if (keys := path.with_suffix(".keys")).exists():
        keys.rename(path.with_name(f"{stem}.keys"))


DAMAGES = (torn, flipped, a_folder, of_a_newer_harness)


def load(_: Said) -> tuple[int, str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert len(load_results(ROOT)["metrics"]) == 4
    return 0, "\n".join(str(each.message) for each in said)


READERS: dict[str, Callable[[Said], tuple[int, str]]] = {
    "status": lambda verb: verb("status", "tiny.yaml"),
    "results": lambda verb: verb("results", "tiny.yaml", "--csv"),
    "compact": lambda verb: verb("results", "--compact"),
    "report": lambda verb: verb("report", "tiny.yaml"),
    "load_results": load,
}


def values(said: str) -> list[float]:
    """The numbers of what `results --csv` printed."""
    frame = pd.read_csv(io.StringIO(said[said.index("study,label") :]))
    return [float(value) for value in frame["value"].dropna()]  # what is on stderr has none


def record_file(form: str) -> Path:
    """One record file of the metrics: a fragment, or all of them compacted."""
    if form == "compacted":
        records.compact(ROOT, above=0)
    ending = "parquet" if form == "compacted" else "json"
    return sorted((ROOT / "records" / "metrics").glob(f"*.{ending}"))[0]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.typst_writer.pdf", lambda *_: b"%PDF")


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", ["fragment", "compacted"])
def test_every_reader_names_it_and_shows_each_committed_number(
    form: str, damage: Callable[[Path], None], reader: str, done: Plan, verb: Said
) -> None:
    path = record_file(form)
    before = values(verb("results", "tiny.yaml", "--csv")[1])
    damage(path)
    code, said = READERS[reader](verb)
    assert code == 0, said
    if damage is of_a_newer_harness:
        assert NEWER in said and "update the code" in said
        assert not any("written again" in line for line in said.splitlines())
    elif reader == "load_results":
        assert f"record {path} " in said and "shown is what their artifacts say" in said
    else:
        assert f"record {path} " in said and "moved to results/quarantine/" in said
        assert "of table 'metrics' w" in said and "missing: written again" in said
    assert values(verb("results", "tiny.yaml", "--csv")[1]) == before == [1.0] * 4


@pytest.mark.slow
def test_status_names_a_damaged_record(done: Plan, verb: Said) -> None:
    """It took the names of record files at their word."""
    path = record_file("fragment")
    torn(path)
    code, said = verb("status", "tiny.yaml")
    assert code == 0 and f"record {path} does not match its checksum: moved to" in said


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("form", ["fragment", "compacted"])
def test_a_newer_record_that_no_artifact_tells_is_refused_by_name(
    form: str, done: Plan, verb: Said
) -> None:
    """Without artifacts nothing else says the number: a part of the records would mislead."""
    of_a_newer_harness(record_file(form))
    (ROOT / "artifacts").rename("elsewhere")
    for words in (("results", "tiny.yaml"), ("report", "tiny.yaml")):
        code, said = verb(*words)
        assert code == 2 and NEWER in said and "update the code" in said
    code, said = verb("status", "tiny.yaml")
    assert code == 0 and NEWER in said


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
def test_an_artifact_of_a_newer_harness_is_named_and_not_half_read(done: Plan, verb: Said) -> None:
    """Its rows have a column that is not known here: each verb ended with a KeyError."""
    store = Store(ROOT)
    key = next(s.key for s in done.stages.values() if s.kind == "evaluate")
    manifest = store.manifest("evaluate", key)
    assert manifest is not None
    rows = {"metrics": [{"key": key, "metric": "fd", "value": 7.0, "temperature": 0.5}]}
    store.quarantine("evaluate", key)
    about = {"provenance": {"harness": "9.9.9"}}
    assert store.commit("evaluate", key, store.staging(key), rows, {}, about)
    for path in (ROOT / "records" / "metrics").glob(f"{key}.*"):
        path.unlink()
    for reader in READERS:
        if reader != "load_results":
            code, said = READERS[reader](verb)
            assert code == 0 and f"{key}/record.json was written by harness 9.9.9" in said
            assert "(temperature): it says more of a number than is read here" in said
    assert values(verb("results", "tiny.yaml", "--csv")[1]) == [1.0] * 3
    code, said = verb("merge", "results", "--results", "other")
    assert code in (0, 1) and "KeyError" not in said


@pytest.mark.slow
def test_what_cannot_be_read_or_moved_is_said_and_left(
    done: Plan, verb: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's file, in a folder of theirs: the number is shown, and nothing is lost."""
    path = record_file("fragment")
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        _forbid(patch, path)
        for words in (("status", "tiny.yaml"), ("results", "tiny.yaml", "--csv")):
            code, said = verb(*words)
            assert code == 0 and f"record {path} cannot be read (Permission denied)" in said
            assert "it is left where it is" in said
        assert values(said) == [1.0] * 4
    assert path.read_bytes() == whole
    flipped(path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("harness.store.reconciling.os.replace", refuse)
    code, said = verb("results", "tiny.yaml", "--csv")
    assert code == 0 and f"record {path} does not match its checksum, and cannot be moved" in said
    assert values(said) == [1.0] * 4


def _forbid(patch: pytest.MonkeyPatch, path: Path) -> None:
    """Opening the file to read fails, as it does for another user; root may read all."""

    def refuse(opens: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(file, (str, Path)) and Path(file) == path:
                raise PermissionError(13, "Permission denied", str(file))
            return opens(file, *args, **kwargs)

        return call

    for module in (builtins, io, os):
        patch.setattr(module, "open", refuse(module.open))  # type: ignore[attr-defined]

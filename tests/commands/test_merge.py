"""`merge`: another results folder's artifacts come over, told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.dispatch.ledger import Ledger
from harness.store import records
from harness.store.artifacts import Store


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


def test_the_verb(
    store: Store,
    other: Store,
    commit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    commit(other, "train", "a")
    assert main(["merge", "other", "--dry-run"]) == 0
    assert "1 artifact" in capsys.readouterr().out
    assert main(["merge", "other"]) == 0
    assert "0 were there already" in capsys.readouterr().out
    assert main(["merge", "absent"]) == 2


def test_time_that_stays_behind_is_said(
    store: Store,
    other: Store,
    commit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(store.root.parent)
    key, ledger = commit(other, "train", "a"), Ledger(other.root)
    came, failed = ledger.begin(key, "train", "a"), ledger.begin("b" * 64, "train", "b")
    ledger.end(came, "done", at=came.started + 30)
    assert main(["merge", "other"]) == 0
    assert "attempts stay" not in capsys.readouterr().out
    ledger.end(failed, "failed", at=failed.started + 3725)
    assert main(["merge", "other"]) == 0
    said = capsys.readouterr().out
    assert "1 h 02 min of attempts stay in other, and `status` of results does not count" in said


@pytest.mark.slow
def test_what_only_the_other_measured_is_told(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for of, metrics in ((store, ("fid",)), (other, ("fid", "is"))):
        rows = [{"key": "a" * 64, "metric": metric, "value": 1.0} for metric in metrics]
        records.write(of.root, "metrics", "a" * 64, rows)
    monkeypatch.chdir(store.root.parent)
    assert main(["merge", "other"]) == 0
    said = capsys.readouterr().out
    assert "1 stage that both have came with numbers that results lacked" in said


@pytest.mark.slow
@pytest.mark.parametrize("here", [False, True])
def test_a_stage_with_rows_in_several_tables_is_one_stage(
    here: bool,
    store: Store,
    other: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A train stage has rows in two tables, and was counted twice."""
    for step in (4, 8):
        records.write(other.root, "runs", "a" * 64, [{"key": "a" * 64, "step": 8, "loss": 0.5}])
        records.write(other.root, "training", "a" * 64, [{"key": "a" * 64, "step": step}])
    if here:
        records.write(store.root, "runs", "b" * 64, [{"key": "b" * 64, "step": 8}])
    monkeypatch.chdir(store.root.parent)
    assert main(["merge", "other"]) == 0
    assert "of 1 stage only the numbers came" in capsys.readouterr().out

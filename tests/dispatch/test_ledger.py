"""Attempts: what was tried, how it ended, and what becomes of the dead."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.dispatch.claims import Owner
from harness.dispatch.ledger import Ledger, measured
from harness.errors import HarnessError
from harness.store import files

KEY = "b" * 64


def test_attempts_are_written_before_they_start_and_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first = ledger.begin(KEY, "train", "train X")
    assert [a.state for a in ledger.attempts(KEY)] == ["running"]
    ledger.end(first, "failed", "error", "boom")
    second = ledger.begin(KEY, "train", "train X")
    ledger.end(second, "done")
    assert [a.state for a in ledger.attempts(KEY)] == ["failed", "done"]
    assert first.log != second.log
    assert ledger.last(KEY) is not None and ledger.last(KEY).state == "done"  # type: ignore[union-attr]


def test_what_an_attempt_used_is_kept_and_of_one_written_before_it_is_not_known(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path)
    begun = ledger.begin(KEY, "train", "train X")
    used = {"devices": 4, "joules": 3.5e6}
    ledger.end(measured(begun, {"used": used, "ran": 60.0}), "done")
    (kept,) = ledger.attempts(KEY)
    assert (kept.devices, kept.joules, kept.seconds) == (4, 3.5e6, 60.0)
    path = tmp_path / "attempts" / KEY / f"{kept.id}.json"
    content = json.loads(path.read_text())
    before = {k: v for k, v in content.items() if k not in ("devices", "joules")}
    path.write_text(json.dumps(before))
    (kept,) = ledger.attempts(KEY)
    assert (kept.state, kept.devices, kept.joules) == ("done", None, None)
    for name in ("devices", "joules"):
        path.write_text(json.dumps({**content, name: "4"}))
        assert ledger.attempts(KEY) == [], "a byte of it has changed"


def test_what_an_event_does_not_say_stays_and_nonsense_is_not_known(tmp_path: Path) -> None:
    begun = Ledger(tmp_path).begin(KEY, "train", "train X")
    known = measured(begun, {"used": {"devices": 2, "joules": 7.0}})
    for content in ({}, {"used": None}, {"used": {}}, {"used": "much"}):
        assert measured(known, content) == known
    lacking = measured(known, {"used": {"devices": 2, "joules": None}})
    assert (lacking.devices, lacking.joules) == (2, None), "a reading failed meanwhile"
    strange = measured(known, {"used": {"devices": "two", "joules": [1]}})
    assert (strange.devices, strange.joules) == (None, None)


def test_running_attempts_of_the_dead_are_settled_as_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    begun = ledger.begin(KEY, "train", "train X")
    Path(begun.log).parent.mkdir(parents=True)
    Path(begun.log).write_text("step 1\n")
    os.utime(begun.log, (begun.started + 7, begun.started + 7))
    path = tmp_path / "claims" / KEY
    path.parent.mkdir()
    path.write_text(json.dumps(asdict(replace(Owner.this(), born="12345"))))  # it has died
    (lost,) = ledger.settle([KEY])
    assert lost.seconds == pytest.approx(7)  # as far as its log shows, not until now
    assert (lost.state, lost.failure) == ("lost", "lost")
    assert ledger.failed([KEY]) == {}  # lost work is done again without asking
    assert ledger.settle([KEY]) == []


def test_a_living_owners_attempt_is_not_settled(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.claim(KEY)
    ledger.begin(KEY, "train", "train X")
    assert ledger.settle([KEY]) == []


def test_failures_stay_until_retry_but_passing_ones_do_not(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.end(ledger.begin(KEY, "train", "train X"), "failed", "environment", "disk full")
    assert ledger.failed([KEY]) == {}
    ledger.end(ledger.begin(KEY, "train", "train X"), "failed", "error", "boom")
    assert set(ledger.failed([KEY])) == {KEY}
    assert ledger.forgive([KEY]) == [KEY]
    assert ledger.failed([KEY]) == {}


def test_unreadable_attempt_files_are_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(KEY, "train", "train X")
    (tmp_path / "attempts" / KEY / "002-zzz.json").write_text("{")
    assert len(ledger.attempts(KEY)) == 1


def test_the_newest_attempt_is_told_by_its_number_not_by_the_clock(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first = ledger.begin(KEY, "train", "train X")
    second = ledger.begin(KEY, "train", "train X")
    ledger._write(replace(second, started=first.started - 3600))  # a machine that is slow
    assert [a.id for a in ledger.attempts(KEY)] == [first.id, second.id]
    last = ledger.last(KEY)
    assert last is not None and last.id == second.id


def test_the_thousandth_attempt_comes_after_the_others(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    begun = ledger.begin(KEY, "train", "train X")
    for number in (999, 1000):
        ledger._write(replace(begun, id=f"{number}-aaaaaa"))
    assert ledger.last(KEY).id == "1000-aaaaaa"  # type: ignore[union-attr]
    assert ledger.begin(KEY, "train", "train X").id.startswith("1001-")


def test_a_forgiven_failure_keeps_its_class(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.end(ledger.begin(KEY, "train", "train X"), "failed", "error", "boom")
    ledger.forgive([KEY])
    (attempt,) = ledger.attempts(KEY)
    assert (attempt.state, attempt.failure) == ("forgiven", "error")


def test_attempts_of_a_later_version_are_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    begun = ledger.begin(KEY, "train", "train X")
    path = tmp_path / "attempts" / KEY / f"{begun.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "fine"}))
    assert ledger.last(KEY) == begun


def test_logs_are_found_after_the_results_were_moved(tmp_path: Path) -> None:
    begun = Ledger(tmp_path / "a").begin(KEY, "train", "train X")
    (tmp_path / "a").rename(tmp_path / "b")
    last = Ledger(tmp_path / "b").last(KEY)
    assert last is not None
    assert last.log == begun.log.replace(f"{tmp_path}/a/", f"{tmp_path}/b/")


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "cannot write")]
)
def test_a_ledger_that_cannot_be_written_says_so_and_keeps_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str, sync: bool
) -> None:
    ledger = Ledger(tmp_path)
    begun = ledger.begin(KEY, "train", "train X")

    def full(operation: str, path: Path) -> None:
        if operation == "rename":  # the worst moment: the file is written aside
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "step", full)
    with pytest.raises(HarnessError, match=said):
        ledger.end(begun, "failed" if sync else "done", "error", "boom")
    assert ledger.attempts(KEY) == [begun]
    assert len(list((tmp_path / "attempts" / KEY).iterdir())) == 1, "a file was left aside"

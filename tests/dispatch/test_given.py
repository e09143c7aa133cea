"""Stages that were given to a queue, as a driver of this machine sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planned import plan_of

from harness.dispatch import given
from harness.dispatch.executor import Event
from harness.dispatch.ledger import Attempt, Ledger
from harness.errors import BadInput
from harness.plan.plan import Plan


class Queue:
    """A component whose one queue says of every attempt what it is told to."""

    name = "somewhere"

    def __init__(self, event: Event | None, trouble: str | None = None) -> None:
        self.event, self.said, self.opened = event, trouble, 0

    def open(self, root: Path, study: Any) -> Queue:
        self.opened += 1
        return self

    def adopt(self, task: Any, attempt: Any) -> Event | None:
        return self.event

    def trouble(self) -> str | None:
        return self.said


def begun(folder: Path) -> tuple[Plan, Ledger, dict[str, Attempt]]:
    plan, ledger = plan_of(folder), Ledger(folder / "results")
    trained = [s for s in plan.stages.values() if s.kind == "train"][:2]
    return plan, ledger, {s.key: ledger.begin(s.key, s.kind, s.label, "batch", 0) for s in trained}


def in_queue(patch: pytest.MonkeyPatch, queue: Queue | None) -> None:
    patch.setattr(given, "queue_of", lambda attempt: queue)
    patch.setattr(given, "queues_called", lambda attempts: "Somewhere")


def test_what_lives_there_is_not_begun_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, ledger, latest = begun(tmp_path)
    queue = Queue(None, "it does not answer")
    in_queue(monkeypatch, queue)
    with pytest.raises(BadInput) as caught:
        given.settle(plan, ledger, latest)
    said = str(caught.value)
    assert "2 stages of tiny were given to Somewhere and are not over there" in said
    assert "(it does not answer)" in said and "--executor somewhere" in said
    assert queue.opened == 1, "one queue is asked for all"
    assert {ledger.read(a).state for a in latest.values()} == {"running"}


def test_what_is_over_there_is_written_down_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, ledger, latest = begun(tmp_path)
    in_queue(monkeypatch, Queue(Event("lost", "", {"message": "its node died"})))
    given.settle(plan, ledger, latest)
    ended = [ledger.read(a) for a in latest.values()]
    assert {a.state for a in ended} == {"lost"} and ended[0].error == "its node died"


def test_what_has_just_said_how_it_ended_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, ledger, latest = begun(tmp_path)
    for attempt in latest.values():
        ledger.end(attempt, "done")
    in_queue(monkeypatch, Queue(Event("done", "")))
    given.settle(plan, ledger, latest)
    assert {ledger.read(a).state for a in latest.values()} == {"done"}


def test_attempts_of_no_queue_are_not_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, ledger, latest = begun(tmp_path)
    in_queue(monkeypatch, None)
    given.settle(plan, ledger, latest)
    assert given.living_jobs(plan, ledger, latest) == (set(), "", None)
    assert not given.may_live(next(iter(latest.values())))


def test_what_somebody_submits_just_now_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, ledger, latest = begun(tmp_path)
    in_queue(monkeypatch, Queue(None))
    first, second = latest
    assert given.still_living(plan, ledger, latest) == {first, second}
    assert ledger.claim(first)
    assert given.still_living(plan, ledger, latest) == {second}

"""Where every stage of a study stands, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planned import plan_of

from harness.dispatch import view
from harness.dispatch.executor import Look
from harness.dispatch.ledger import Ledger
from harness.dispatch.study_state import StudyState, study_state
from harness.dispatch.view import BEHIND, BLOCKED, READY, STATES, STOPPED
from harness.plan.plan import Plan, Stage
from harness.store import Store


class Seeing:
    """A plan, its ledger, and what is seen of it."""

    def __init__(self, folder: Path) -> None:
        self.plan: Plan = plan_of(folder)
        self.store, self.ledger = Store(folder / "results"), Ledger(folder / "results")

    def of(self, kind: str) -> Stage:
        return next(s for s in self.plan.stages.values() if s.kind == kind)

    def look(self, jobs: Any = None) -> tuple[dict[str, view.Seen], list[str]]:
        stages = list(self.plan.stages.values())
        history = self.ledger.history(self.plan.stages)
        state: StudyState = study_state(self.plan, stages, self.store, self.ledger, history)
        return view.look(self.plan, stages, state, self.ledger, jobs)


@pytest.fixture
def seeing(tmp_path: Path) -> Seeing:
    return Seeing(tmp_path)


def test_before_anything_each_is_ready_or_behind_another(seeing: Seeing) -> None:
    seen, notes = seeing.look()
    assert notes == [] and {s.state for s in seen.values()} == {"waiting"}
    assert seen[seeing.of("encode").key].reason == READY
    assert seen[seeing.of("train").key].reason == BEHIND


def test_what_a_failure_blocks_says_so_down_the_chain(seeing: Seeing) -> None:
    encode = seeing.of("encode")
    attempt = seeing.ledger.begin(encode.key, encode.kind, encode.label)
    seeing.ledger.end(attempt, "failed", "bad input", "no image")
    seen, _ = seeing.look()
    assert (seen[encode.key].state, seen[encode.key].reason) == ("failed", "bad input")
    assert seen[seeing.of("train").key].reason == BLOCKED
    assert seen[seeing.of("evaluate").key].reason == BLOCKED


def test_a_stage_whose_driver_died_waits_and_one_that_is_claimed_runs(seeing: Seeing) -> None:
    encode = seeing.of("encode")
    seeing.ledger.begin(encode.key, encode.kind, encode.label)
    seen, _ = seeing.look()
    assert seen[encode.key].state == "waiting"
    assert "its driver died before it ended" in seen[encode.key].reason
    assert seeing.ledger.claim(encode.key)
    assert seeing.look()[0][encode.key].state == "running"


def test_a_stage_that_was_stopped_goes_on_where_it_was(seeing: Seeing) -> None:
    encode = seeing.of("encode")
    attempt = seeing.ledger.begin(encode.key, encode.kind, encode.label)
    seeing.ledger.end(attempt, "stopped", "stopped", "asked to")
    seen, _ = seeing.look()
    assert (seen[encode.key].state, seen[encode.key].reason) == ("waiting", STOPPED)


def test_a_queue_is_asked_and_where_it_cannot_be_that_is_said(seeing: Seeing) -> None:
    encode = seeing.of("encode")
    seeing.ledger.begin(encode.key, encode.kind, encode.label, "harness-x", 0)

    class Jobs:
        def look(self, task: Any, attempt: Any) -> Look:
            assert task.key == encode.key and attempt.batch == "harness-x"
            return Look("queued", "Priority", None, "the queue is slow")

    seen, notes = seeing.look(Jobs())
    assert (seen[encode.key].state, seen[encode.key].reason) == ("queued", "Priority")
    assert notes == ["the queue is slow"]
    seen, notes = seeing.look()
    assert (seen[encode.key].state, seen[encode.key].reason) == ("running", "in a queue")
    assert "cannot be asked here" in notes[0]


def test_every_stage_is_counted_once(seeing: Seeing) -> None:
    seen, _ = seeing.look()
    counts = view.counts(seen, seeing.plan.stages)
    assert list(counts) == list(STATES) and sum(counts.values()) == len(seeing.plan.stages)

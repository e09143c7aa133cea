"""Which failures of before a queue tries again: what passes, and what may come out otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pretended_cluster import Clock, PretendedCluster, ends, planned, started

from harness.dispatch import driver
from harness.dispatch.circumstances import circumstances
from harness.dispatch.executor import Event
from harness.dispatch.ledger import Ledger
from harness.dispatch.slurm import jobs, queue
from harness.plan import Plan, Stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (jobs, queue, driver):
        monkeypatch.setattr(module, "time", clock)
    return clock


def failed_before(plan: Plan, root: Path, failure: str, **other: str) -> Stage:
    train = next(s for s in plan.stages.values() if s.kind == "train")
    ledger = Ledger(root)
    known = {**circumstances(plan, plan.task(train)), **other}
    first = ledger.begin(train.key, train.kind, train.label, "harness-train-x", 0, known)
    ledger.end(first, "failed", failure, "why")
    return train


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["killed", "lost", "out of memory", "preempted", "environment"])
def test_what_passes_is_tried_again_by_the_next_run(
    tmp_path: Path, clock: Clock, failure: str
) -> None:
    plan = planned(tmp_path, 2)
    failed_before(plan, tmp_path, failure)
    one, _ = started(plan, tmp_path, PretendedCluster(tmp_path, clock))
    assert ends(one) == 0


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["error", "bad input"])
def test_an_error_is_kept_while_nothing_has_changed(
    tmp_path: Path, clock: Clock, failure: str
) -> None:
    plan = planned(tmp_path, 2)
    train = failed_before(plan, tmp_path, failure)
    one, _ = started(plan, tmp_path, PretendedCluster(tmp_path, clock))
    assert ends(one) == 1
    assert one.agenda.failed.keys() == {train.key} == one.before.keys()
    assert len(one.agenda.done) == len(plan.stages) - 1 - len(one.agenda.blocked)
    assert len(Ledger(tmp_path).attempts(train.key)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["code", "components", "data", "settings"])
def test_an_error_is_tried_again_once_something_has_changed(
    tmp_path: Path, clock: Clock, what: str
) -> None:
    plan = planned(tmp_path, 2)
    train = failed_before(plan, tmp_path, "error", **{what: "other"})
    one, _ = started(plan, tmp_path, PretendedCluster(tmp_path, clock))
    notes: list[str] = []

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "note":
            notes.append(content["text"])

    one.watch = watch
    assert one.run() == 0
    assert len(Ledger(tmp_path).attempts(train.key)) == 2
    assert any("1 stage that failed is tried again" in n and "changed since" in n for n in notes)


class Cancelling(PretendedCluster):
    """Remembers what was cancelled."""

    cancelled: list[str]

    def cancel(self, name: str, elements: list[str]) -> None:
        self.cancelled += elements


@pytest.mark.slow
@pytest.mark.parametrize("keep_going", [False, True])
def test_what_leads_to_failed_stages_alone_is_taken_out_of_the_queue(
    tmp_path: Path, clock: Clock, keep_going: bool
) -> None:
    """A training whose reference was refused would cost its weeks and could not be measured."""
    plan, cluster = planned(tmp_path, 3), Cancelling(tmp_path, clock, slots=0)
    cluster.cancelled = []
    one, _ = started(plan, tmp_path, cluster)
    one.agenda.keep_going = keep_going
    one.begin()
    one.policy.start_ready()
    of: dict[str, list[str]] = {}
    for stage in plan.stages.values():
        of.setdefault(stage.kind, []).append(stage.key)
    assert set(of["train"]) <= one.agenda.running.keys()
    begun = of["train"][0]
    (reference,) = of["reference"]
    one.executor.begun = lambda key: key == begun  # type: ignore[method-assign]
    one.happened(Event("failed", reference, {"failure": "bad input", "message": "no weights"}))
    one.policy.start_ready()
    ledger = Ledger(tmp_path)
    states = {key: ledger.attempts(key)[-1].state for key in of["train"]}
    if keep_going:
        assert set(states.values()) == {"running"} and not cluster.cancelled
        return
    assert states == {key: "running" if key == begun else "stopped" for key in of["train"]}
    assert not one.agenda.running.keys() & set(of["train"][1:])
    assert set(of["train"][1:]) <= one.agenda.held and cluster.cancelled
    assert begun in one.agenda.running, "what is begun goes on"

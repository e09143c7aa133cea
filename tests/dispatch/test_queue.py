"""Which failures of before a queue tries again: what passes, and what may come out otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pretended_cluster import Clock, PretendedCluster, ends, planned, started

from harness.dispatch.circumstances import circumstances
from harness.dispatch.ledger import Ledger
from harness.plan import Plan, Stage


def failed_before(plan: Plan, root: Path, failure: str, **other: str) -> Stage:
    train = next(s for s in plan.stages.values() if s.kind == "train")
    ledger = Ledger(root)
    known = {**circumstances(plan, plan.task(train)), **other}
    first = ledger.begin(train.key, train.kind, train.label, "harness-train-x", 0, known)
    ledger.end(first, "failed", failure, "why")
    return train


@pytest.mark.parametrize("failure", ["killed", "lost", "out of memory", "preempted", "environment"])
def test_what_passes_is_tried_again_by_the_next_run(
    tmp_path: Path, clock: Clock, failure: str
) -> None:
    plan = planned(tmp_path, 2)
    failed_before(plan, tmp_path, failure)
    driver, _ = started(plan, tmp_path, PretendedCluster(tmp_path, clock))
    assert ends(driver) == 0


@pytest.mark.parametrize("failure", ["error", "bad input"])
def test_an_error_is_kept_while_nothing_has_changed(
    tmp_path: Path, clock: Clock, failure: str
) -> None:
    plan = planned(tmp_path, 2)
    train = failed_before(plan, tmp_path, failure)
    driver, _ = started(plan, tmp_path, PretendedCluster(tmp_path, clock))
    assert ends(driver) == 1
    assert driver.agenda.failed.keys() == {train.key} == driver.before.keys()
    assert len(driver.agenda.done) == len(plan.stages) - 1 - len(driver.agenda.blocked)
    assert len(Ledger(tmp_path).attempts(train.key)) == 1


@pytest.mark.parametrize("what", ["code", "components", "data", "settings"])
def test_an_error_is_tried_again_once_something_has_changed(
    tmp_path: Path, clock: Clock, what: str
) -> None:
    plan = planned(tmp_path, 2)
    train = failed_before(plan, tmp_path, "error", **{what: "other"})
    driver, _ = started(plan, tmp_path, PretendedCluster(tmp_path, clock))
    notes: list[str] = []

    def watch(event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "note":
            notes.append(content["text"])

    driver.watch = watch
    assert driver.run() == 0
    assert len(Ledger(tmp_path).attempts(train.key)) == 2
    assert any("1 stage that failed is tried again" in n and "changed since" in n for n in notes)

"""What is done about a failure, by its class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from harness.dispatch import failures
from harness.dispatch.failures import POLICIES, growth, settle, verdict
from harness.dispatch.ledger import PASSING, Ledger
from harness.spec.schema import FailureClass

KEY = "f" * 64


def fail(ledger: Ledger, failure: str, limits: dict[str, int] | None = None) -> str:
    attempt = ledger.begin(KEY, "train", "train x", "harness-train-1", 0)
    return settle(ledger, attempt, failure, "why", limits or {})[0].state


@pytest.mark.parametrize("failure", POLICIES)
def test_every_class_is_tried_as_often_as_it_says_then_fails_until_retry(
    tmp_path: Path, failure: str
) -> None:
    ledger, limits = Ledger(tmp_path), {"preempted": 3}
    tries = limits.get(failure, POLICIES[failure].retries)
    assert [fail(ledger, failure, limits) for _ in range(tries)] == ["again"] * tries
    assert fail(ledger, failure, limits) == "failed"
    if failure not in PASSING:  # what passes by itself is tried by the next run
        assert list(ledger.failed([KEY])) == [KEY]
        assert ledger.forgive([KEY]) == [KEY]
        assert ledger.failed([KEY]) == {}
        assert fail(ledger, failure, limits) == ("again" if tries else "failed")


def test_the_waits_double_up_to_ten_minutes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = replace(ledger.begin(KEY, "train", "x"), state="again", failure="node failure")
    waits = [verdict([attempt] * n, "node failure", {"node failure": 99}).wait_s for n in range(7)]
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_out_of_memory_gets_more_memory_and_out_of_time_more_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    one = ledger.begin(KEY, "train", "x")
    memory = replace(one, state="again", failure="out of memory")
    time = replace(one, state="again", failure="timed out")
    forgiven = replace(one, state="failed", failure="stopped")
    assert growth([]) == (1.0, 1.0)
    assert growth([memory, time, memory]) == (2.25, 1.5)
    assert growth([memory, forgiven, time]) == (1.0, 1.5)


def test_the_task_and_the_driver_both_settle_and_the_first_decides(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    attempt = ledger.begin(KEY, "train", "x", "harness-train-1", 0)
    first, _ = settle(ledger, attempt, "error", "ValueError: in the task", {})
    second, found = settle(ledger, attempt, "killed", "exit code 1", {"error": 0})
    assert second == first and found.again
    assert len(ledger.attempts(KEY)) == 1


def test_every_class_of_the_schema_has_a_policy_and_a_meaning() -> None:
    assert set(get_args(FailureClass)) == set(POLICIES)
    assert all(policy.meaning for policy in failures.POLICIES.values())

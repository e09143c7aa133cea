"""What both policies share: a stage that is given back waits as if it had not been started."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.dispatch.policy import Policy
from harness.dispatch.pool import Pool
from harness.dispatch.queue import Queue
from harness.errors import HarnessError


class Notes:
    """Of an agenda and a ledger: what was asked of them."""

    def __init__(self, full: bool = False) -> None:
        self.running, self.said, self.full = {"a": "attempt of a"}, list[Any](), full

    def again(self, key: str) -> None:
        self.said.append(("again", key))

    def end(self, *given: Any) -> None:
        if self.full:
            raise HarnessError("the disk is full")
        self.said.append(("end", *given))

    def release(self, key: str) -> None:
        self.said.append(("release", key))


def test_it_is_written_down_as_stopped_and_its_claim_is_given_up() -> None:
    notes = Notes()
    policy = Policy(SimpleNamespace(agenda=notes, ledger=notes))  # type: ignore[arg-type]
    policy._undo("a", "why")
    assert notes.said == [
        ("again", "a"),
        ("end", "attempt of a", "stopped", "stopped", "why"),
        ("release", "a"),
    ]
    policy._undo("a", "why")
    assert len(notes.said) == 3, "what does not run is left alone"


def test_on_a_full_disk_the_claim_is_given_up_all_the_same() -> None:
    notes = Notes(full=True)
    Policy(SimpleNamespace(agenda=notes, ledger=notes))._undo("a", "why")  # type: ignore[arg-type]
    assert notes.said == [("again", "a"), ("release", "a")]


def test_the_two_policies_say_whether_stages_outlive_the_driver() -> None:
    assert Queue.outlives and not Pool.outlives
    for name in ("not_again", "start_ready", "adopt", "settle", "give_back"):
        for policy in (Pool, Queue):
            assert getattr(policy, name) is not getattr(Policy, name), name


def test_what_a_policy_must_say_has_no_default() -> None:
    policy = Policy(SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        policy.start_ready()
    assert policy.begin({}) == [] and policy.held_by_queues() == set()

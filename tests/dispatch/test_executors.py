"""Which queue an attempt was given to, also one of before and one that is not installed here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.dispatch import executors
from harness.dispatch.attempt_words import log_of
from harness.dispatch.components import Local
from harness.dispatch.ledger import Attempt, Ledger
from harness.dispatch.slurm.component import Slurm
from harness.spec import load_study


def attempt(root: Path, batch: str | None, **given: str) -> Attempt:
    found = Ledger(root).begin("f" * 64, "train", "train x", batch, None if batch is None else 1)
    return replace(found, **given)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_study_names_its_executor() -> None:
    assert isinstance(executors.executor_of(load_study("studies/scaling.yaml")), Local)
    on_slurm = load_study("studies/scaling.yaml", "imagenet256")
    assert isinstance(executors.executor_of(on_slurm), Slurm)


def test_attempts_that_do_not_say_are_the_first_queues(tmp_path: Path) -> None:
    old = attempt(tmp_path, "harness-train-x")
    assert isinstance(executors.given_to(old), Slurm)
    assert executors.given_to(attempt(tmp_path, None)) is None
    assert executors.queues_called([old]) == "SLURM"
    assert executors.first_queue() == Slurm.name


def test_a_strangers_queue_that_is_not_here_is_named_and_not_asked(tmp_path: Path) -> None:
    theirs = attempt(tmp_path, "job-7", executor="somebodys")
    assert executors.given_to(theirs) is None and executors.queue_of(theirs) is None
    assert executors.queues_called([theirs]) == "somebodys"
    assert log_of(theirs) == theirs.log


def test_only_what_runs_in_a_queue_that_can_be_asked_may_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = attempt(tmp_path, "harness-train-x")
    monkeypatch.setattr(Slurm, "reachable", lambda self: True)
    assert isinstance(executors.queue_of(one), Slurm)
    assert executors.queue_of(replace(one, state="failed")) is None
    monkeypatch.setattr(Slurm, "reachable", lambda self: False)
    assert executors.queue_of(one) is None

"""What a study has taken so far: in words, and read seldom."""

from __future__ import annotations

from pathlib import Path

import pytest
from opened import opened

from harness.commands import spending
from harness.commands.spending import Spending, in_words
from harness.dispatch.budget import Spent


def test_gpu_hours_stand_against_their_budget_and_other_work_is_time() -> None:
    spent = Spent(kept_s=100.0, lost_s=30.0)
    assert in_words(spent, None) == "2 min 10 s of work"
    assert in_words(spent, 500.0) == "0.0 of 500 GPU-hours"
    of_gpus = Spent(3600.0, 60.0, kept_gpu_hours=8.0, lost_gpu_hours=4.25)
    assert in_words(of_gpus, 500.0) == "12.2 of 500 GPU-hours"
    assert in_words(of_gpus, None) == "12.2 GPU-hours"
    short = Spent(60.0, 0.0, kept_gpu_hours=1 / 60)
    assert in_words(short, None) == "1 min 00 s of work", "and not 0.0 GPU-hours"


def test_every_ended_attempt_of_the_study_counts(tmp_path: Path) -> None:
    study = opened(tmp_path)
    train = next(s for s in study.plan.stages.values() if s.kind == "train")
    for state, failure in (("failed", "crashed"), ("done", None)):
        attempt = study.ledger.begin(train.key, train.kind, train.label)
        study.ledger.end(attempt, state, failure, None, at=attempt.started)
    study.ledger.leave()
    assert Spending(study).time_spent() == "0.0 s of work" and Spending(study).gpu_hours() == ""
    with_budget = opened(tmp_path, ("dispatch.gpu_hours=20",))
    assert Spending(with_budget).gpu_hours() == "0.0 of 20 GPU-hours"


def test_the_ledger_is_read_once_a_minute_and_seldomer_where_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, took, reads = 0.0, 0.1, 0

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now

    def spent(*_: object) -> Spent:
        nonlocal now, reads
        reads += 1
        now += took
        return Spent(kept_s=float(reads))

    monkeypatch.setattr(spending, "time", Clock)
    monkeypatch.setattr(spending.budget, "spent", spent)
    shown = Spending(opened(tmp_path))
    assert shown.time_spent() == "1.0 s of work"
    now = 59.0
    assert shown.time_spent() == "1.0 s of work"
    now, took = 61.0, 10.0  # a large study on a slow disk
    assert shown.time_spent() == "2.0 s of work"
    now = 61.0 + 400
    assert shown.time_spent() == "2.0 s of work" and reads == 2
    now = 61.0 + 501
    assert shown.time_spent() == "3.0 s of work"

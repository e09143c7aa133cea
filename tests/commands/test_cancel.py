"""`cancel`: a queue's jobs, one stage of a task, local stages; never somebody else's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from verbs import SLURM, Said, cancelled, stages, tried

from harness.dispatch.claims import Owner
from harness.dispatch.ledger import Ledger


@pytest.mark.slow
def test_cancel_asks_slurm_and_the_ledger_and_run_can_go_on(
    verb: Said, slurm: Path, study: Path
) -> None:
    verb("run", "tiny.yaml", *SLURM, "--detach")
    code, said = verb("cancel", "tiny.yaml", *SLURM[2:], "train")
    assert code == 0 and "cancelled 4 stages on SLURM (4 jobs ended)" in said
    assert len(cancelled(slurm)) == 4
    ledger = Ledger(study.parent / "results")
    assert {a.state for s in stages(study, "train") for a in ledger.attempts(s.key)} == {"stopped"}
    code, said = verb("status", "tiny.yaml", *SLURM[2:])
    last = r"\(the last \d{4}-\d\d-\d\d \d\d:\d\d, try 1\)"
    assert re.search(rf"waiting: 4 stages {last}: stopped: cancelled by `harness cancel`", said)


@pytest.mark.slow
def test_cancelling_one_stage_of_a_task_leaves_those_beside_it_alone(
    verb: Said, slurm: Path, study: Path
) -> None:
    more = (*SLURM, "--set", "dispatch.slurm.pack=8")
    verb("run", "tiny.yaml", *more, "--detach")
    first = stages(study, "train")[0]
    code, said = verb("cancel", "tiny.yaml", *more[2:], first.key)
    assert code == 0
    assert "cancelled 1 stage on SLURM (0 jobs ended, 1 goes on with other stages)" in said
    assert not (slurm / "cancelled").exists()
    ledger = Ledger(study.parent / "results")
    last = {s.key: a for s in stages(study, "train") if (a := ledger.last(s.key)) is not None}
    assert last.pop(first.key).state == "stopped"
    assert {a.state for a in last.values()} == {"running"}
    code, said = verb("cancel", "tiny.yaml", *more[2:], *last)
    assert code == 0 and "cancelled 3 stages on SLURM (2 jobs ended)" in said
    assert len(cancelled(slurm)) == 2  # tasks of two stages each


def test_cancelling_one_local_stage_leaves_its_driver_alone(verb: Said, study: Path) -> None:
    root = study.parent / "results"
    first, second = stages(study, "train")[:2]
    for stage in (first, second):
        ledger, _ = tried(root, stage)
        assert ledger.claim(stage.key)
    code, said = verb("cancel", "tiny.yaml", first.key[:10])
    assert code == 0 and "1 stage asked to save and stop; their driver goes on" in said
    states = [Ledger(root).last(s.key).state for s in (first, second)]  # type: ignore[union-attr]
    assert states == ["stopped", "running"]


def test_another_machines_driver_is_named_not_killed(
    verb: Said, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(study.parent / "results")
    ledger.owner = Owner("far-away", os.getpid(), "1")
    ledger.register("tiny", "laptop")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it killed a process of its own"))
    code, said = verb("cancel", "tiny.yaml")
    assert code == 0 and f"process {os.getpid()} on far-away drives this study too" in said

"""What is seen of a study before it ran, while somebody drives it, and after a failure."""

from __future__ import annotations

from pathlib import Path

from opened import opened

from harness.commands import seen
from harness.dispatch.ledger import Ledger


def test_before_it_ran_everything_waits_and_nobody_drives_it(tmp_path: Path) -> None:
    study = opened(tmp_path)
    shown = seen.look(study)
    assert {one.state for one in shown.seen.values()} == {"waiting"}
    assert not shown.drivers and not shown.failed and not shown.moves
    assert seen.queue(study, []) is None, "local stages are in no queue"


def test_a_driver_of_another_study_is_not_its_driver(tmp_path: Path) -> None:
    study = opened(tmp_path)
    ledger = Ledger(study.store.root)
    ledger.register("another", study.study.profile)
    assert not seen.drivers(study) and not seen.look(study).moves
    ledger.leave()
    ledger.register(study.study.name, study.study.profile)
    assert len(seen.drivers(study)) == 1 and seen.look(study).moves
    ledger.leave()


def test_what_failed_is_seen_with_its_last_attempt(tmp_path: Path) -> None:
    study = opened(tmp_path)
    ledger = Ledger(study.store.root)
    stage = next(s for s in study.stages if s.kind == "encode")
    ledger.end(ledger.begin(stage.key, stage.kind, stage.label), "failed", "error", "boom")
    (attempt,) = seen.look(study).failed
    assert (attempt.key, attempt.error) == (stage.key, "boom")

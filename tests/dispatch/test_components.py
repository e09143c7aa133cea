"""This machine as an executor."""

from __future__ import annotations

from pathlib import Path

from planned import study_of

from harness.dispatch.components import Local
from harness.dispatch.local import LocalWorkers


def test_its_stages_live_with_the_driver_and_it_opens_warm_workers(tmp_path: Path) -> None:
    assert Local().policy == "pool"
    opened = Local().open(tmp_path / "results", study_of(tmp_path))
    try:
        assert isinstance(opened, LocalWorkers) and opened.free() == 2
    finally:
        opened.close()


def test_a_stage_has_as_many_processes_as_the_study_gives_its_kind(tmp_path: Path) -> None:
    given = study_of(tmp_path, "dispatch.local.train=2")
    assert Local().processes(given, "train") == 2
    assert Local().processes(given, "sample") == 1


def test_it_says_what_cannot_be_had_and_what_it_would_do(tmp_path: Path) -> None:
    assert Local().check(study_of(tmp_path)) == []
    (said,) = Local().check(study_of(tmp_path, "dispatch.local.train=4"))
    assert "gives train 4 devices, and this machine has 2" in said
    assert "2 workers of 1 thread, one stage each" in Local().describe(study_of(tmp_path))

"""`logs`: what a stage printed, and why there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from verbs import SLURM, Said, stages, tried


def test_logs_of_what_never_ran_say_so(verb: Said) -> None:
    code, said = verb("logs", "train", "tiny.yaml")
    assert code == 2 and "4 stages match 'train', and none of them was started yet" in said


def test_an_unreadable_or_missing_log_is_said(verb: Said, study: Path) -> None:
    ledger, attempt = tried(study.parent / "results", stages(study, "train")[0])
    Path(attempt.log).unlink()
    ledger.end(attempt, "failed", "error", "ValueError: boom")
    code, said = verb("logs", "train", "tiny.yaml")
    assert code == 0 and "failed (error): ValueError: boom" in said and "(no log)" in said


def test_all_attempts_have_their_logs(verb: Said, study: Path) -> None:
    stage = stages(study, "train")[0]
    ledger, attempt = tried(study.parent / "results", stage, "the first\n")
    ledger.end(attempt, "again", "node failure", "its node went down")
    tried(study.parent / "results", stage, "the second\n")
    code, said = verb("logs", "train", "tiny.yaml")
    assert "the second" in said and "the first" not in said
    code, said = verb("logs", "train", "tiny.yaml", "--all")
    assert code == 0 and said.index("the first") < said.index("the second")
    assert "failed (node failure): its node went down" in said


@pytest.mark.slow
def test_logs_of_what_slurm_has_not_begun_say_that_it_is_queued_and_why(
    verb: Said, slurm: Path, study: Path
) -> None:
    verb("run", "tiny.yaml", *SLURM, "--detach")
    code, said = verb("logs", "train", "tiny.yaml")
    assert code == 0
    assert said.count("(it is queued: no log yet; pending: Priority)") == 4


@pytest.mark.slow
def test_a_job_that_failed_outside_its_stages_is_told_with_what_it_printed(
    verb: Said, slurm: Path, study: Path
) -> None:
    """As one that was given no environment, or that found no venv on its node."""
    verb("run", "tiny.yaml", *SLURM, "--detach")
    jobs = (slurm / "jobs").read_text()
    name, job = next(x for x in jobs.splitlines() if "-complexity-" in x).split("|")[:2]
    cause = "ModuleNotFoundError: No module named 'harness'"
    folder = study.parent / "results" / "slurm" / name
    (folder / f"{job}_0_0_log.err").write_text(f"{cause}\n")
    ended = jobs.replace(f"{name}|{job}|0|PENDING", f"{name}|{job}|0|FAILED")
    (slurm / "jobs").write_text(ended)
    about = "ArrayTaskId=0 JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0"
    (slurm / "scontrol").write_text(f"#!/bin/sh\necho '{about}'\n")
    for words in (["status", "tiny.yaml", *SLURM[2:]], ["logs", "complexity", "tiny.yaml"]):
        code, said = verb(*words)
        assert code == 0 and f"{folder}/{job}_0_0_log.err: {cause}" in said
    assert f"\n{cause}\n" in said and "queued" not in said


def test_the_study_may_come_first_and_the_stage_is_asked_for(verb: Said, study: Path) -> None:
    tried(study.parent / "results", stages(study, "train")[0], "step 1\n")
    code, said = verb("logs", "tiny.yaml", "train")
    assert code == 0 and "step 1" in said
    code, said = verb("logs", "tiny.yaml")
    assert code == 2 and "which stage of tiny.yaml? Give its kind, as in logs train tiny" in said

"""What SLURM's word for the end of a job means for its stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.dispatch.slurm.cluster import Element
from harness.dispatch.slurm.ended import classify


@pytest.mark.parametrize(
    ("state", "reason", "code", "event", "failure"),
    [
        ("PREEMPTED", "", "0:0", "failed", "preempted"),
        ("TIMEOUT", "TimeLimit", "0:0", "failed", "timed out"),
        ("NODE_FAIL", "", "0:0", "failed", "node failure"),
        ("OUT_OF_MEMORY", "", "0:125", "failed", "out of memory"),
        ("FAILED", "NonZeroExitCode", "137:0", "failed", "killed"),
        ("FAILED", "NonZeroExitCode", "1:0", "failed", "killed"),
        ("FAILED", "RaisedSignal:53(Real-time_signal_19)", "0:53", "failed", "environment"),
        ("COMPLETED", "", "0:0", "failed", "killed"),
        ("CANCELLED", "", "0:0", "stopped", None),
        ("CANCELLED", "DependencyNeverSatisfied", "0:0", "lost", None),
    ],
)
def test_how_a_job_ended_has_a_class(
    state: str, reason: str, code: str, event: str, failure: str | None
) -> None:
    found = classify("k", "77_3", Element("77", state, reason, code))
    assert (found.event, found.content.get("failure")) == (event, failure)
    assert "77_3" in found.content["message"]


def test_how_a_job_was_killed_is_said_whoever_tells_it() -> None:
    for code in ("137:0", "0:9"):  # scontrol's way and sacct's
        message = classify("k", "77_3", Element("77", "FAILED", "", code)).content["message"]
        assert "killed by signal 9 (out of memory" in message
    said = classify("k", "7_0", Element("7", "FAILED", "", "0:53"), Path("/r/slurm/b")).content
    assert "cannot write its output to /r/slurm/b" in said["message"]


def test_a_job_that_failed_before_its_stages_is_told_with_what_it_printed(tmp_path: Path) -> None:
    failed = Element("7", "FAILED", "NonZeroExitCode", "1:0")
    said = classify("k", "7_0", failed, tmp_path).content["message"]
    assert said.endswith("with exit code 1, before its stage could say why")
    printed = tmp_path / "7_0_0_log.err"
    printed.write_text("Traceback (most recent call last):\n  x\n\nModuleNotFoundError: harness\n")
    said = classify("k", "7_0", failed, tmp_path).content["message"]
    assert said.endswith(
        f"the end of {printed}: Traceback (most recent call last): | x | "
        "ModuleNotFoundError: harness"
    )


@pytest.mark.parametrize(
    "said",
    [
        "slurmstepd-n1: error: StepId=3.0 exceeded memory limit (1926 > 1073), being killed",
        "slurmstepd: error: Exceeded job memory limit",
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=3.batch cgroup.",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=3.0. Some of the step tasks have "
        "been OOM Killed.",
        "Some of your processes may have been killed by the cgroup out-of-memory handler.",
    ],
)
@pytest.mark.parametrize(("state", "code"), [("FAILED", "137:0"), ("CANCELLED", "0:0")])
def test_a_job_that_slurm_killed_for_its_memory_is_given_more(
    said: str, state: str, code: str, tmp_path: Path
) -> None:
    (tmp_path / "7_0_0_log.err").write_text(f"{said}\nsrun: error: n1: task 0: Killed\n")
    found = classify("k", "7_0", Element("7", state, "", code), tmp_path).content
    assert found["failure"] == "out of memory" and "exceeded its memory" in found["message"]
    other = classify("k", "7_1", Element("7", "FAILED", "", code), tmp_path).content
    assert other["failure"] == "killed"


def test_a_job_that_slurm_forgot_is_lost() -> None:
    assert classify("k", "77_3", None).content["failure"] == "lost"

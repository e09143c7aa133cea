"""SLURM's commands when they are slow, refuse, or say something else. The commands are scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.dispatch.slurm_cluster import Cluster, Element, Later, Refused, Unreachable
from harness.dispatch.slurm_ended import classify


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of SLURM commands in front of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def command(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def quick() -> Cluster:
    return Cluster(timeout_s=0.5, tries=3, wait_s=0.01)


def test_an_sbatch_that_timed_out_but_queued_its_job_is_found_not_repeated(
    commands: Path, tmp_path: Path
) -> None:
    command(commands, "sbatch", f"echo x >> {tmp_path}/submitted; exec sleep 5")
    command(commands, "squeue", "echo 'harness-train-a|77|0|PENDING|1:00|0:00|None'")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "77"
    assert (tmp_path / "submitted").read_text() == "x\n"


def test_an_sbatch_that_fails_in_passing_is_tried_again(commands: Path, tmp_path: Path) -> None:
    command(
        commands,
        "sbatch",
        f"if [ -e {tmp_path}/once ]; then echo '78;cluster'; else touch {tmp_path}/once; "
        "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1; fi",
    )
    command(commands, "squeue", "exit 0")
    command(commands, "sacct", "exit 1")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "78"


def test_a_refusal_is_told_in_sbatchs_words_and_a_full_queue_is_not_a_refusal(
    commands: Path, tmp_path: Path
) -> None:
    command(commands, "sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(Refused, match="invalid partition specified: x"):
        quick().submit(tmp_path / "s", "harness-train-a")
    command(commands, "sbatch", "echo 'error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1")
    with pytest.raises(Later, match="QOSMaxSubmit"):
        quick().submit(tmp_path / "s", "harness-train-a")


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ("QOSMaxWallDurationPerJobLimit", Refused),
        ("QOSMaxCpuPerJobLimit", Refused),
        ("QOSMaxGRESPerJob", Refused),
        ("AssocMaxNodePerJobLimit", Refused),
        ("QOSMaxMemoryPerNode", Refused),
        ("QOSMaxSubmitJobPerUserLimit", Later),
        ("AssocMaxSubmitJobLimit", Later),
        ("AssocGrpSubmitJobsLimit", Later),
    ],
)
def test_a_job_over_a_limit_by_itself_is_refused_and_one_too_many_waits(
    commands: Path, tmp_path: Path, limit: str, error: type[Exception]
) -> None:
    said = (
        f"sbatch: error: {limit}\nsbatch: error: Batch job submission failed: Job violates "
        "accounting/QOS policy (job submit limit, user's size and/or time limits)"
    )
    (tmp_path / "said").write_text(said)
    command(commands, "sbatch", f"cat {tmp_path}/said >&2; exit 1")
    with pytest.raises(error, match=limit):
        quick().submit(tmp_path / "s", "harness-train-a")


def test_a_cluster_that_does_not_answer_is_unreachable_never_empty(commands: Path) -> None:
    command(commands, "squeue", "exec sleep 5")
    with pytest.raises(Unreachable, match=r"squeue did not answer within 0\.5 s"):
        quick().queue()
    command(commands, "squeue", "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    with pytest.raises(Unreachable, match="Unable to contact"):
        quick().queue()


def test_a_slow_answer_is_asked_for_again(commands: Path, tmp_path: Path) -> None:
    once = f"[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; exec sleep 5; }}"
    command(commands, "squeue", f"{once}\necho 'harness-train-a|77|3|RUNNING|1:00|0:10|None'")
    assert quick().queue() == {
        "harness-train-a": {3: Element("77", "RUNNING", "None", left="1:00", elapsed="0:10")}
    }


def test_without_accounting_scontrol_knows_and_without_both_nobody_does(commands: Path) -> None:
    command(
        commands,
        "scontrol",
        "echo 'JobId=9 ArrayJobId=77 ArrayTaskId=3 JobState=FAILED Reason=NonZeroExitCode "
        "Restarts=2 ExitCode=137:0'",
    )
    found = quick().detail("77", 3)
    assert found and (found.state, found.exit_code, found.restarts) == ("FAILED", "137:0", 2)
    command(commands, "scontrol", "exit 1")
    command(commands, "sacct", "echo '77_3|FAILED|9:0'")  # as of 22.05, of a kill -9
    assert quick().detail("77", 3) == Element("77", "FAILED", exit_code="0:9")
    command(commands, "sacct", "echo '77_3|FAILED|1:0'")
    assert quick().detail("77", 3) == Element("77", "FAILED", exit_code="1:0")
    command(commands, "sacct", "echo '77_3|CANCELLED by 0|0:0'")
    assert quick().detail("77", 3) == Element("77", "CANCELLED", exit_code="0:0")
    command(commands, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert quick().detail("77", 3) is None


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


def test_a_job_that_slurm_forgot_is_lost(commands: Path) -> None:
    assert classify("k", "77_3", None).content["failure"] == "lost"


def test_sbatch_inside_a_job_does_not_inherit_it(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    command(commands, "squeue", 'echo "h|$SLURM_JOB_ID$SLURM_MEM_PER_NODE$SLURM_CONF"')
    assert quick().ask("squeue") == "h|/etc/slurm.conf\n"


def test_the_array_limit_is_the_clusters(commands: Path) -> None:
    command(commands, "scontrol", "echo 'MaxArraySize            = 21'")
    assert quick().max_array_size() == 21

"""SLURM's commands when they are slow, refuse, or say something else. The commands are scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.dispatch.slurm.cluster import (
    Cluster,
    Element,
    Later,
    NotConfigured,
    Refused,
    Unreachable,
    job_ids,
)


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "printed",
    [
        "78",
        "78;cluster-a.b",
        "Note: 3 jobs; see https://site/12;x\n78",
        "78\nThis cluster is down on Monday; 9",
        "\n\n  78  \n\n",
        "\n78;cluster\nhave a nice day; bye\n",
        "Submitted batch job 78",
        "Submitted batch job 78 on cluster one",
        "12\n78",  # which of them? SLURM knows the name
        "",
        "Note; h",
        "\x1b[32m78\x1b[0m",
        "2026\n\x1b[1;32m78\x1b[0m",  # a year is the only line that is a bare number
        "\x1b]0;sbatch\x07Jobs left today:\n500\nSubmitted batch job 78 to the queue",
        "Quota:\n500",
        "\u0661\u0662",
        "0",
        "\ufeff78",
    ],
)
def test_a_job_id_is_found_among_what_a_site_prints(
    commands: Path, tmp_path: Path, printed: str
) -> None:
    (tmp_path / "printed").write_text(printed + "\n")
    command(commands, "sbatch", f"echo x >> {tmp_path}/submitted; cat {tmp_path}/printed")
    command(commands, "squeue", "echo Note; echo 'harness-train-a|78|0|PENDING|1:00|0:00|None'")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "78"
    assert (tmp_path / "submitted").read_text() == "x\n"


@pytest.mark.parametrize(
    ("printed", "ids"),
    [
        ("\x1b[1;32mSubmitted batch job 78\x1b[0m\n", {"78"}),
        ("\x1b]0;sbatch\x07\x1b[K78;main\x1b[m\n", {"78"}),
        ("\ufeff78\n", {"78"}),
        ("checking ...\r\x0078\x00\n", set()),
        ("Jobs left:\n500\nSubmitted batch job 78 to low\n", {"78"}),
        ("Submitted batch job 7.5\n-5\n0\n012\n\u0661\u0662\n", set()),
        ("2026\n78\n", {"2026", "78"}),
    ],
)
def test_colours_and_other_digits_make_no_job_id(printed: str, ids: set[str]) -> None:
    assert job_ids(printed) == ids


def test_a_number_beside_other_words_is_the_job_id_where_the_queue_does_not_answer(
    commands: Path, tmp_path: Path
) -> None:
    command(commands, "sbatch", "echo Welcome; echo 78")
    command(commands, "squeue", "exit 1")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "78"


def test_a_job_that_a_full_queue_has_taken_after_all_is_not_submitted_again(
    commands: Path, tmp_path: Path
) -> None:
    said = "echo 'our job submit limit is near' >&2"
    command(commands, "sbatch", f"echo x >> {tmp_path}/submitted; echo 78; {said}; exit 1")
    command(commands, "squeue", "echo 'harness-train-a|78|0|PENDING|1:00|0:00|None'")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "78"
    assert (tmp_path / "submitted").read_text() == "x\n"


def test_a_job_id_that_nobody_tells_is_not_guessed_and_the_job_not_submitted_again(
    commands: Path, tmp_path: Path
) -> None:
    command(commands, "sbatch", f"echo x >> {tmp_path}/submitted; echo 'Welcome; 2 news'")
    command(commands, "squeue", "echo Welcome")
    command(commands, "sacct", "echo Welcome")
    with pytest.raises(Refused, match=r"Welcome; 2 news.*may be running.*harness-train-a") as said:
        quick().submit(tmp_path / "s", "harness-train-a")
    assert str(tmp_path / "s") in str(said.value)
    assert (tmp_path / "submitted").read_text() == "x\n"


@pytest.mark.parametrize(
    ("printed", "queued"),
    [("Welcome; 3 news\n78", ""), ("", "78"), ("Note; 12 h", "78"), ("2026", "78")],
)
def test_an_sbatch_that_reports_a_failure_after_slurm_took_the_job_has_submitted_it(
    commands: Path, tmp_path: Path, printed: str, queued: str
) -> None:
    (tmp_path / "printed").write_text(printed + "\n")
    calls = f"echo x >> {tmp_path}/submitted; cat {tmp_path}/printed"
    command(commands, "sbatch", f"{calls}; echo 'sbatch: error: site plugin' >&2; exit 1")
    line = f"echo 'harness-train-a|{queued}|0|PENDING|1:00|0:00|None'"
    command(commands, "squeue", line if queued else "exit 0")
    command(commands, "sacct", "exit 1")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "78"
    assert (tmp_path / "submitted").read_text() == "x\n"


def test_what_looks_like_a_state_in_a_path_or_a_comment_is_none(commands: Path) -> None:
    words = "JobId=7 ArrayTaskId=0 JobName=n JobState=RUNNING Reason=None ExitCode=0:0 Restarts=0"
    path = "StdOut=/r/a JobState=FAILED ExitCode=9:0 ArrayTaskId=3/x"
    command(commands, "scontrol", f"echo '{words} {path} Comment=JobState=FAILED'")
    found = quick().detail("7", 0)
    assert found is not None and (found.state, found.exit_code) == ("RUNNING", "0:0")


def test_accounting_behind_a_banner_knows_a_name(commands: Path) -> None:
    command(commands, "squeue", "exit 0")
    command(commands, "sacct", "echo Welcome; echo; echo 77_3; echo 77_4")
    assert quick().find("harness-train-a") == "77"
    command(commands, "sacct", "echo '2 users'")
    assert quick().find("harness-train-a") is None


def test_the_jobs_of_a_user_id_without_a_name_are_found_by_their_own(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4242424)  # as in a container
    told = 'echo "mine|8|0|RUNNING|1|0|None"; echo "harness-train-a|7|0|RUNNING|1|0|None"'
    # as squeue 22.05 does: no job, and no exit code that says so
    invalid = 'case " $* " in *" -u "*) echo "squeue: error: Invalid user: $8" >&2; exit 0;; esac'
    command(commands, "squeue", f"{invalid}; {told}")
    assert quick().queue()["harness-train-a"][0].job == "7"


def test_of_a_user_with_a_name_the_jobs_of_others_are_not_asked_for(commands: Path) -> None:
    command(
        commands, "squeue", f'[ "$7 $8" = "-u {os.getuid()}" ] && echo "harness-a|7|0|RUNNING|||"'
    )
    assert quick().queue()["harness-a"][0].job == "7"


def test_a_machine_without_a_slurm_configuration_is_told_from_a_silent_cluster(
    commands: Path,
) -> None:
    lines = ("fetch_config: DNS SRV lookup failed", "Could not establish a configuration source")
    said = "\n".join(f"scontrol: error: {line}" for line in lines)
    command(commands, "scontrol", f"echo '{said}' >&2; exit 1")
    with pytest.raises(NotConfigured, match=r"no configuration on this machine: .*source$"):
        quick().max_array_size()


def test_a_job_that_may_be_queued_is_looked_up_before_a_later_call_submits_it(
    commands: Path, tmp_path: Path
) -> None:
    """sbatch queues the job and times out; squeue fails until all tries of a call are used up."""
    said = "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1"
    command(commands, "sbatch", f"echo x >> {tmp_path}/submitted; {said}")
    command(commands, "squeue", "exit 1")
    for _ in range(3):  # and a driver that is started anew knows it too
        with pytest.raises(Unreachable):
            quick().submit(tmp_path / "s", "harness-train-a")
    command(commands, "squeue", "echo 'harness-train-a|77|0|RUNNING|1:00|0:00|None'")
    assert quick().submit(tmp_path / "s", "harness-train-a") == "77"
    assert (tmp_path / "submitted").read_text() == "x\n"


def test_of_two_jobs_with_one_name_the_living_one_counts(commands: Path) -> None:
    lines = [
        f"harness-train-a|{j}|0|{s}|1:00|0:00|None" for j, s in ((7, "RUNNING"), (8, "COMPLETED"))
    ]
    for text in ("\n".join(lines), "\n".join(reversed(lines))):
        command(commands, "squeue", f"echo '{text}'")
        assert quick().queue()["harness-train-a"][0].job == "7"


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


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_unreachable_never_empty(commands: Path) -> None:
    command(commands, "squeue", "exec sleep 5")
    with pytest.raises(Unreachable, match=r"squeue did not answer within 0\.5 s"):
        quick().queue()
    command(commands, "squeue", "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    with pytest.raises(Unreachable, match="Unable to contact"):
        quick().queue()


@pytest.mark.slow
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


def test_sbatch_inside_a_job_does_not_inherit_it(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    command(commands, "squeue", 'echo "h|$SLURM_JOB_ID$SLURM_MEM_PER_NODE$SLURM_CONF"')
    assert quick().ask("squeue") == "h|/etc/slurm.conf\n"


@pytest.mark.parametrize("inside", [False, True], ids=["login node", "inside a job"])
def test_the_users_slurm_settings_do_not_override_the_study(
    commands: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    dropped = ("SBATCH_PARTITION", "SBATCH_JOB_NAME", "SBATCH_TIMELIMIT", "SQUEUE_PARTITION")
    dropped += ("SQUEUE_NAMES", "SACCT_FORMAT", "SCANCEL_STATE", "SINFO_FORMAT")
    kept = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "HARNESS_X")
    for name in (*dropped, "SLURM_TIME_FORMAT", *kept):
        monkeypatch.setenv(name, "mine")
    if inside:
        monkeypatch.setenv("SLURM_JOB_ID", "5")
    command(commands, "sbatch", "env")
    said = dict(line.split("=", 1) for line in quick().ask("sbatch").splitlines() if "=" in line)
    assert {name for name, value in said.items() if value == "mine"} == set(kept)


def test_the_array_limit_is_the_clusters(commands: Path) -> None:
    command(commands, "scontrol", "echo 'MaxArraySize            = 21'")
    assert quick().max_array_size() == 21


def test_what_a_partition_grants_is_asked_for_and_need_not_be_known(commands: Path) -> None:
    lines = (
        "PartitionName=long Default=NO DefaultTime=NONE MaxTime=7-00:00:00 State=UP",
        "PartitionName=short Default=YES DefaultTime=NONE MaxTime=00:02:00 State=UP",
        "PartitionName=any Default=NO DefaultTime=NONE MaxTime=UNLIMITED State=UP",
    )
    command(commands, "scontrol", f"echo '{chr(10).join(lines)}'")
    found = [quick().longest(p) for p in (None, "short", "long", "short,long", "long,any", "no")]
    assert found == [2, 2, 7 * 24 * 60, 7 * 24 * 60, None, None]
    command(commands, "scontrol", "exit 1")
    assert quick().longest("short") is None


def test_a_job_id_is_told_and_cancelled_with_its_name(commands: Path, tmp_path: Path) -> None:
    said = "JobId=9 ArrayJobId=77 ArrayTaskId=3 JobName=another JobState=RUNNING"
    command(commands, "scontrol", f"echo '{said}'")
    found = quick().detail("77", 3)
    assert found and found.name == "another"
    command(commands, "scontrol", "exit 1")
    command(commands, "sacct", "echo '77_3|RUNNING|0:0|harness-train-a'")
    found = quick().detail("77", 3)
    assert found and found.name == "harness-train-a"
    command(commands, "scancel", f'echo "$@" >> {tmp_path}/cancelled')
    quick().cancel("harness-train-a", ["77_3", "77_4"])
    assert (tmp_path / "cancelled").read_text() == "--name=harness-train-a 77_3 77_4\n"

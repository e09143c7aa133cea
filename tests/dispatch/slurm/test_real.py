"""SLURM itself: a private cluster, real jobs, real kills. See harness.dispatch.slurm."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
from pathlib import Path

import pytest
from slurm_bench import LONG, Bench

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster c")]


def test_six_models_end_with_the_records_of_the_local_run(bench: Bench) -> None:
    bench.write(sizes="[S, B]", patches="[8, 4, 2]", steps=10)
    said = bench.run("run", "--no-report", "--set", "dispatch.slurm.pack=3")
    assert "27/27" in said
    undisturbed = bench.undisturbed(whole=True)
    bench.same_records(undisturbed)
    bench.same_bytes(undisturbed)
    bench.one_record_per_key(6)
    attempts = bench.attempts()
    assert len(attempts) == len({a["key"] for a in attempts}) == 27
    assert {a["state"] for a in attempts} == {"done"}
    assert "nothing" in bench.run("cancel")
    assert bench.run("status").count("6/6") + bench.run("status").count(" 6 ") >= 3


def test_two_drivers_started_together_do_each_stage_once(bench: Bench) -> None:
    bench.write(patches="[4, 2]", steps=30)
    drivers = [bench.start("run", "--no-report", "--only", "train") for _ in range(2)]
    for driver in drivers:
        bench.end(driver)
    attempts = bench.attempts()
    assert len(attempts) == 5 and len({a["key"] for a in attempts}) == 5
    bench.one_record_per_key(2)


def test_interrupted_and_run_again_the_same_jobs_are_found(bench: Bench) -> None:
    bench.write(steps=LONG)
    driver = bench.start_training()
    bench.until_training()
    said = bench.interrupt(driver)
    assert driver.returncode == 130, said
    assert "without this process" in said and "harness cancel" in said
    assert len(bench.jobs("train")) == 1
    bench.train()
    assert [a["state"] for a in bench.attempts("train")] == ["done"]
    # The study edited while its jobs run: what belongs to the old one is named, not mixed in.
    bench.write(steps=LONG + 5000)
    bench.run("run", "--detach", "--only", "train")
    bench.until(lambda: [j for j in bench.jobs("train") if j[2] == "RUNNING"])
    bench.write(steps=LONG)
    assert "this study no longer has" in bench.run("status")
    bench.write(steps=LONG + 5000)
    assert "cancelled 1 stage on SLURM" in bench.run("cancel", "train")
    bench.until(lambda: not bench.jobs("train"))
    assert sorted(a["state"] for a in bench.attempts("train")) == ["done", "stopped"]


def test_one_training_of_a_task_is_cancelled_and_the_other_is_done(bench: Bench) -> None:
    bench.write(patches="[4, 2]", steps=3 * LONG)
    driver = bench.start_training()
    bench.until_training()
    (first,) = {path.parent.name for path in bench.results.glob("scratch/*/step-*")}
    task = bench.process_of("train")
    os.kill(task, signal.SIGSTOP)  # or a quick machine has trained it before `cancel` has begun
    try:
        said = bench.run("cancel", first)
    finally:
        os.kill(task, signal.SIGCONT)
    assert "cancelled 1 stage on SLURM (0 jobs ended, 1 goes on with other stages)" in said
    bench.end(driver, expect=3)
    states = {a["key"]: a["state"] for a in bench.attempts("train")}
    assert states.pop(first) == "stopped" and list(states.values()) == ["done"]
    assert len({a["batch"] for a in bench.attempts("train")}) == 1


def test_a_task_that_always_fails_stops_after_its_retries_with_its_cause(bench: Bench) -> None:
    bench.write(rate="1e3")
    said = bench.end(bench.start_training("--set", "dispatch.retries={error: 1}"), expect=1)
    assert "tried again" in said and "training diverged" in said and "harness retry" in said
    states = sorted(a["state"] for a in bench.attempts("train"))
    assert states == ["again", "failed"]
    status = bench.run("status", expect=1)
    assert "failed: 1 error" in status and "training diverged" in status


def test_detached_jobs_of_a_failed_parent_are_cancelled_not_left_pending(bench: Bench) -> None:
    bench.write(rate="1e3")
    said = bench.run("run", "--detach", "--set", "dispatch.retries={error: 0}")
    assert "7 stages are queued or running" in said
    assert bench.cluster is not None
    bench.until(lambda: not bench.cluster.jobs())
    assert bench.run("status", expect=1).count("training diverged") >= 1
    said = bench.run("run", "--no-report", "--set", "dispatch.retries={error: 0}", expect=1)
    assert len(bench.attempts("train")) == 1, said


def test_three_hundred_trivial_stages_cost_less_than_a_fifth_of_a_second_each(
    bench: Bench,
) -> None:
    """What the harness adds to the stages' own work and to what SLURM takes for as many tasks."""
    points = "".join(
        f"\n    - {{model.patch_size: {patch}, model.width: {width}}}"
        for patch in (1, 2, 4, 8)
        for width in range(8, 608, 8)
    )
    bench.file.write_text(TRIVIAL.format(points=points))
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    bench.run("run", "--no-report")
    took = time.monotonic() - began
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    driver = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    manifests = list(bench.results.glob("artifacts/complexity/*/manifest.json"))
    assert len(manifests) == 300
    work = sum(json.loads(p.read_text())["measured"]["seconds"] for p in manifests)
    outputs = [p.read_text() for p in bench.results.glob("slurm/*/*_log.out")]
    tasks = sum(float(re.findall(r"([\d.]+) s of processor time", text)[0]) for text in outputs)
    slurm = seconds_of_idle_tasks(bench, len(outputs))
    clock = (took - slurm - work / len(outputs)) / 300
    print(
        f"300 stages in {len(outputs)} tasks: {took:.1f} s, of which SLURM {slurm:.1f} s and work "
        f"{work / len(outputs):.1f} s: {clock:.3f} s of overhead each; processor time with the "
        f"work: driver {driver / 300:.3f} s, tasks {tasks / 300:.3f} s each"
    )
    assert len(outputs) == 4
    assert clock < 0.2 and driver / 300 < 0.1


def seconds_of_idle_tasks(bench: Bench, count: int) -> float:
    """What SLURM itself takes for an array of tasks that do nothing."""
    assert bench.cluster is not None
    script = bench.folder / "idle.sh"
    script.write_text("#!/bin/sh\nsrun true\n")
    began = time.monotonic()
    array = (f"--array=0-{count - 1}", "-o", "/dev/null", "--wait", str(script))
    bench.cluster.command("sbatch", *array, timeout=280)
    return time.monotonic() - began


TRIVIAL = """\
study: trivial
title: Three hundred counts
profile: here
data: {{name: glyphs, image_size: 8, channels: 1, num_classes: 10, train_images: 10}}
model: {{depth: 1, heads: 1}}
matrix:
  include:{points}
report: {{sections: [headline]}}
profiles:
  here:
    dispatch:
      executor: slurm
      device: cpu
      threads: 1
      slurm: {{minutes: 10, gpus_per_node: 0, cpus_per_task: 1, mem_gb: 1, pack: 75}}
"""


def test_an_unknown_partition_is_sbatchs_word_and_exit_code_2(bench: Bench) -> None:
    said = bench.run("run", "--set", "dispatch.slurm.partition=nowhere", expect=2)
    assert "nvalid partition" in said and "error:" in said
    assert not bench.cluster.jobs()  # type: ignore[union-attr]
    bench.run("run", "--no-report", "--only", "complexity")  # nothing is held by the refusal


def test_a_results_path_may_hold_what_sbatch_reads_as_its_own(bench: Bench) -> None:
    """One job each. sbatch replaces %j in its files' names, and reads quotes and backslashes."""
    names = (
        "a space",
        "%j and %%A",
        "100%% of %A_%a %x %N %t %%%% %5t",  # of which srun loses some, as a pattern
        'it\'s "quoted"',
        r"back\slash \j %A",
        "accent é # $HOME \x0b\u2028\t",
    )
    folders = [bench.folder / name for name in names]
    drivers = [
        bench.start("run", "--no-report", "--only", "complexity", results=results)
        for results in folders
    ]
    for driver, results in zip(drivers, folders, strict=True):
        assert "1/1" in bench.end(driver)
        (attempt,) = [json.loads(p.read_text()) for p in results.glob("attempts/*/*.json")]
        assert attempt["state"] == "done" and "committed" in Path(attempt["log"]).read_text()
        batch = results / "slurm" / attempt["batch"]
        printed = (batch / f"{attempt['job']}_0_log.out").read_text()
        assert f"{batch.name} element 0" in printed and "1 stages ended" in printed
        logs = {p.name for p in batch.iterdir() if "_log." in p.name}
        own = {f"{attempt['job']}_0_log.{end}" for end in ("out", "err")}
        # SLURM's own words, where no pattern is possible: one file for all elements
        shared = {"array_log.out", "array_log.err"} if set("%\\") & set(str(results)) else set()
        assert logs - own == shared


def test_a_log_that_cannot_be_written_is_an_environments_failure_with_its_path(
    bench: Bench,
) -> None:
    """A file lies where a folder should: as good as a full disk, and possible for root."""
    bench.write()
    bench.results.mkdir()
    (bench.results / "logs").write_text("")
    no_retry = ("--set", "dispatch.retries={environment: 0, killed: 0}")
    said = bench.end(bench.start_training(*no_retry), expect=1)
    (attempt,) = bench.attempts("train")
    assert (attempt["state"], attempt["failure"]) == ("failed", "environment")
    for text in (said, bench.task_log()):
        assert f"cannot write {attempt['log']}: Not a directory" in text


def test_slurms_own_log_that_cannot_be_written_is_told_apart_from_a_kill(bench: Bench) -> None:
    bench.write()
    cluster = bench.cluster
    assert cluster is not None
    node = ("scontrol", "update", "NodeName=127.0.0.1")
    cluster.command(*node, "State=DRAIN", "Reason=test")
    try:
        no_retry = ("--set", "dispatch.retries={environment: 0, killed: 0}")
        driver = bench.start_training(*no_retry)
        job = bench.until(lambda: bench.jobs("train"))[0][1]
        batch = bench.results / "slurm" / bench.attempts("train")[0]["batch"]
        for stream in ("out", "err"):
            (batch / f"{job}_0_log.{stream}").mkdir()
    finally:
        cluster.command(*node, "State=RESUME")
    said = bench.end(driver, expect=1)
    (attempt,) = bench.attempts("train")
    assert (attempt["state"], attempt["failure"]) == ("failed", "environment")
    assert f"SLURM cannot write its output to {batch}" in said


def test_a_job_that_fails_before_its_stages_is_told_with_what_it_printed(bench: Bench) -> None:
    """No variable of ours reaches it."""
    bench.write()
    bare = ("dispatch.slurm.extra.export=NONE", "dispatch.retries={killed: 0}")
    words = ("--only", "complexity", *(word for setting in bare for word in ("--set", setting)))
    said = bench.run("run", "--no-report", *words, expect=1)
    print(said)
    assert "before its stage could say why; the end of " in said
    assert "last lines of what its SLURM job printed:\n  | " in said and "srun: " in said


def test_the_users_slurm_settings_neither_change_a_job_nor_hide_it(bench: Bench) -> None:
    bench.write()
    bench.env |= {"SBATCH_PARTITION": "nowhere", "SBATCH_JOB_NAME": "mine", "SBATCH_TIMELIMIT": "7"}
    bench.env |= {"SQUEUE_PARTITION": "high", "SQUEUE_NAMES": "mine", "SQUEUE_FORMAT": "%i"}
    bench.run("run", "--detach", "--only", "complexity")
    assert bench.cluster is not None
    (job,) = bench.cluster.jobs()
    assert job[0].startswith("harness-complexity-") and job[3] == "low"
    assert "1/1" in bench.run("run", "--no-report", "--only", "complexity")
    assert [a["state"] for a in bench.attempts()] == ["done"]

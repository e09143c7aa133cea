"""Preemption and time limits on a real SLURM: what is trained again ends bit for bit the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from slurm_bench import LONG, Bench, frozen, is_gone

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster a")]


def preempt(bench: Bench) -> None:
    """Take the whole node from the low partitions for a moment."""
    assert bench.cluster is not None
    script = bench.folder / "high.sh"
    script.write_text("#!/bin/bash\nsleep 1\n")
    bench.cluster.command(
        "sbatch", "-p", "high", "--exclusive", "-o", "/dev/null", "--wait", str(script), timeout=280
    )


def test_a_training_preempted_in_the_middle_ends_bit_for_bit_the_same(bench: Bench) -> None:
    """Two at once: one may save within its partition's grace time, one is killed at once."""
    bench.write(steps=LONG)
    killed = Bench(bench.folder / "nograce", bench.cluster, bench.baseline)
    killed.write(steps=LONG)
    drivers = [
        (one, one.start_training("--set", f"dispatch.slurm.partition={partition}"))
        for one, partition in ((bench, "low"), (killed, "nograce"))
    ]
    for one, _ in drivers:
        one.stopped_in_training()
    preempt(bench)
    for one, driver in drivers:
        one.end(driver)
        (attempt,) = one.attempts("train")  # the same attempt and the same job
        assert attempt["state"] == "done"
        assert "resumed at step" in Path(attempt["log"]).read_text()
        one.same_bytes(one.undisturbed())
        one.same_records(one.undisturbed())
        one.one_record_per_key(1)
    assert "preempted; saved its progress" in bench.task_log()
    assert "saved its progress" not in killed.task_log()


def test_a_time_limit_leads_to_a_checkpoint_and_a_kill_at_it_to_the_last_one(bench: Bench) -> None:
    """Two trainings of one minute: one sees SLURM's SIGUSR2, one is frozen until SLURM kills it.

    SLURM looks at time limits every 30 s, and warns of one that ends before its next look. Both
    limits are moved, so that one look warns the first training and kills the second.
    """
    bench.write(patches="[4, 2]", steps=LONG)
    short = ("--set", "dispatch.slurm.minutes=2", "--set", "dispatch.slurm.pack=1")
    driver = bench.start_training(*short)
    held = bench.stopped_in_training(2)
    assert bench.cluster is not None
    for job, end in sorted((job[1], job[1][-1]) for job in bench.jobs("train")):
        moved = "EndTime=now+40" if end == "0" else "EndTime=now+2"
        bench.cluster.command("scontrol", "update", f"JobId={job}", moved)
    deaf = held[1]
    with frozen(deaf):
        bench.until(lambda: "went back into the queue" in bench.task_log(), 90)
        bench.until(lambda: is_gone(deaf), 120)
    bench.end(driver)
    assert "timed out; saved its progress" in bench.task_log()
    (only,) = bench.attempts_at(0)
    killed, again = bench.attempts_at(1)
    assert (killed["state"], killed["failure"], again["state"]) == ("again", "timed out", "done")
    assert only["state"] == "done"
    for attempt in (only, again):
        assert "resumed at step" in Path(attempt["log"]).read_text()
    assert killed["error"].endswith("ended as TIMEOUT"), "it had a usable warning"
    bench.same_bytes(bench.undisturbed())
    bench.same_records(bench.undisturbed())
    bench.one_record_per_key(2)

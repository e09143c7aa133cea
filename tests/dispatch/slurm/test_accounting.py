"""A cluster with slurmdbd: what sacct says when the controller has forgotten a job."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from private_cluster import PrivateCluster
from slurm_bench import LONG, Baseline, Bench

from harness.dispatch.slurm.cluster import Cluster, Element
from harness.dispatch.slurm.ended import classify

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster a")]


@pytest.fixture
def accounted(
    accounting_cluster: PrivateCluster, baseline: Baseline, tmp_path: Path
) -> Iterator[Bench]:
    """An idle cluster that keeps accounts, and an empty results folder."""
    one = Bench(tmp_path, accounting_cluster, baseline)
    one.python = warm.python()
    yield one
    one.stop()
    accounting_cluster.clear()


def test_a_job_that_only_sacct_remembers_is_judged_by_it(
    accounted: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while nobody watched, forgotten by squeue and scontrol: not lost, cancelled."""
    bench, cluster = accounted, accounted.cluster
    assert cluster is not None
    bench.write(steps=LONG)
    detached = bench.start_training("--detach")
    job = bench.until_training()
    bench.end(detached)
    name = bench.attempts("train")[0]["batch"]
    cluster.command("scancel", job)
    bench.until(lambda: not cluster.jobs())
    bench.until(lambda: "CANCELLED" in cluster.command("sacct", "-n", "-X", "-P", "-o", "State"))
    cluster.forget_jobs()

    for variable, value in cluster.environment.items():
        monkeypatch.setenv(variable, value)
    slurm = Cluster()
    number, index = job.split("_")
    assert slurm.queue() == {}
    assert slurm.find(name) == number
    assert slurm.detail(number, int(index)) == Element(number, "CANCELLED", exit_code="0:0")
    assert slurm.detail("4242", 0) is None

    bench.train()
    first, second = sorted(bench.attempts("train"), key=lambda a: str(a["id"]))
    assert (first["state"], second["state"]) == ("stopped", "done")
    assert "was cancelled" in first["error"]
    bench.same_bytes(bench.undisturbed())
    bench.one_record_per_key(1)


def test_how_a_job_ended_is_read_from_sacct_in_its_own_words(
    accounted: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = accounted.cluster
    assert cluster is not None
    ends = {"kill -9 $$": ("killed by signal 9", "killed"), "exit 1": ("exit code 1", "killed")}
    script = accounted.folder / "ends.sh"
    cases = "".join(f"{i}) srun bash -c '{how}';;\n" for i, how in enumerate(ends))
    script.write_text(f"#!/bin/bash\ncase $SLURM_ARRAY_TASK_ID in\n{cases}esac\n")
    words = ("sbatch", "--parsable", "--array=0-1", "-o", "/dev/null", str(script))
    job = cluster.command(*words).strip()
    nowhere = accounted.folder / "nowhere" / "log"
    unwritable = cluster.command(*words[:2], "--array=0", "-o", str(nowhere), str(script)).strip()
    accounted.until(lambda: not cluster.jobs())
    words = ("sacct", "-n", "-X", "-P", "-o", "State", "-j", f"{job},{unwritable}")
    accounted.until(lambda: cluster.command(*words).split().count("FAILED") == 3)
    cluster.forget_jobs()
    for variable, value in cluster.environment.items():
        monkeypatch.setenv(variable, value)
    for index, (message, failure) in enumerate(ends.values()):
        said = classify("k", "j", Cluster().detail(job, index)).content
        assert said["failure"] == failure and message in said["message"]
    said = classify("k", "j", Cluster().detail(unwritable, 0), nowhere).content
    assert said["failure"] == "environment" and str(nowhere) in said["message"]


EATS = """\
# loaded by every interpreter: a training takes 1.3 GB
import os, sys, threading, time
if os.environ.get("SLURM_JOB_ID") and sys.orig_argv[-1].startswith("harness-train-"):
    def eat():
        time.sleep(1)
        global eaten
        eaten = bytearray(b"x") * 1_300_000_000
    threading.Thread(target=eat, daemon=True).start()
"""


def test_a_training_that_slurm_kills_for_its_memory_is_given_more(accounted: Bench) -> None:
    bench = accounted
    bench.python = sys.executable  # a forked one has loaded its modules before
    bench.write(steps=LONG)
    (bench.folder / "site").mkdir()
    (bench.folder / "site" / "sitecustomize.py").write_text(EATS)
    bench.env["PYTHONPATH"] = f"{bench.folder / 'site'}:{bench.env['PYTHONPATH']}"
    said = bench.end(bench.start_training())
    assert "out of memory: job" in said and "exceeded its memory; tried again" in said
    first, second = bench.attempts_at(0)
    assert (first["state"], first["failure"]) == ("again", "out of memory")
    scripts = [bench.results / "slurm" / a["batch"] / "submit.sh" for a in (first, second)]
    assert [re.findall(r"--mem=(\w+)", s.read_text()) for s in scripts] == [["1GB"], ["2GB"]]
    bench.same_bytes(bench.undisturbed())
    bench.one_record_per_key(1)

"""Kills on a real SLURM: the same command completes the study, each key recorded once.

Every test ends with the bytes of a training that nobody disturbed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from slurm_bench import LONG, Bench, is_gone

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("cluster b")]

SBATCH = """\
#!/bin/sh
# sbatch, but the driver that calls it is killed: before it, after it, or while it is on its way
count=$(($(cat {folder}/calls 2>/dev/null || echo 0) + 1))
echo $count > {folder}/calls
case $(sed -n ${{count}}p {folder}/plan) in
  before) kill -9 $PPID; exit 1;;
  after) {sbatch} "$@"; kill -9 $PPID;;
  meanwhile) kill -9 $PPID; sleep 3; exec {sbatch} "$@";;
  *) exec {sbatch} "$@";;
esac
"""


def end_of(driver: subprocess.Popen[str]) -> int:
    """Wait for a driver that may be killed; its exit code."""
    driver.communicate(timeout=280)
    return int(driver.returncode)


def trained_once(bench: Bench, models: int) -> None:
    """Every stage was executed to its end once, by one job, and left what it should."""
    bench.same_bytes(bench.undisturbed())
    bench.same_records(bench.undisturbed())
    bench.one_record_per_key(models)
    attempts = bench.attempts()
    done = [a["key"] for a in attempts if a["state"] == "done"]
    assert len(done) == len(set(done)) == 1 + 2 * models
    logs = [Path(a["log"]).read_text() for a in attempts if Path(a["log"]).exists()]
    assert sum(text.count(" committed\n") for text in logs) == len(done)


# Each change passes one seed; a release two more, at the same time: a scenario mostly waits.
SEEDS = [(1,), pytest.param((2, 3), marks=pytest.mark.full)]


def each(bench: Bench, seeds: tuple[int, ...], scenario: Callable[[Bench, int], None]) -> None:
    """The scenario with every seed, each with a results folder of its own."""
    others = [Bench(bench.folder / f"{seed}", bench.cluster, bench.baseline) for seed in seeds[1:]]
    with ThreadPoolExecutor(len(seeds)) as pool:
        benches = (bench, *others)
        running = [pool.submit(scenario, *one) for one in zip(benches, seeds, strict=True)]
        try:
            for one in running:
                one.result()
        finally:
            for other in others:
                other.stop()


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_driver_killed_around_any_sbatch_loses_and_repeats_nothing(
    bench: Bench, seeds: tuple[int, ...]
) -> None:
    bench.write(patches="[4, 2]", steps=30)
    bench.undisturbed()  # once, for all
    each(bench, seeds, killed_around_sbatch)


def killed_around_sbatch(bench: Bench, seed: int) -> None:
    bench.write(patches="[4, 2]", steps=30)
    plan = ["before", "after", "meanwhile", "after", "before", "meanwhile"]
    random.Random(seed).shuffle(plan)
    (bench.folder / "plan").write_text("\n".join(plan) + "\n")
    programs = bench.folder / "bin"
    programs.mkdir()
    sbatch = shutil.which("sbatch", path=bench.env["PATH"])
    (programs / "sbatch").write_text(SBATCH.format(folder=bench.folder, sbatch=sbatch))
    (programs / "sbatch").chmod(0o755)
    bench.env["PATH"] = f"{programs}:{bench.env['PATH']}"
    codes = []
    while len(codes) < 12 and codes[-1:] != [0]:
        codes.append(end_of(bench.start("run", "--no-report", "--only", "train")))
    print(plan, codes)
    assert codes[-1] == 0 and codes.count(-signal.SIGKILL) >= 3
    trained_once(bench, 2)


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_driver_killed_at_random_points_leaves_what_the_next_one_finishes(
    bench: Bench, seeds: tuple[int, ...]
) -> None:
    bench.write(patches="[4, 2]", steps=60)
    bench.undisturbed()
    each(bench, seeds, killed_at_random)


def killed_at_random(bench: Bench, seed: int) -> None:
    bench.write(patches="[4, 2]", steps=60)
    chance = random.Random(seed)
    began = time.monotonic()
    driver = bench.start("run", "--no-report", "--only", "train")
    bench.until(lambda: (bench.results / "attempts").exists() or driver.poll() is not None)
    longest = 2 * (time.monotonic() - began)  # twice what a driver takes to begin, on this machine
    driver.kill()
    for _ in range(4):
        time.sleep(longest * chance.random())
        driver.kill()
        driver.communicate()
        driver = bench.start("run", "--no-report", "--only", "train")
    bench.end(driver)
    trained_once(bench, 2)


def test_a_killed_task_goes_on_from_its_checkpoint_and_is_recorded_once(bench: Bench) -> None:
    bench.write(steps=LONG)
    driver = bench.start_training()
    bench.until_training()
    os.kill(bench.process_of("train"), signal.SIGKILL)
    said = bench.end(driver)
    assert "killed by signal 9" in said and "tried again in 10" in said
    first, second = bench.attempts_at(0)
    assert (first["state"], first["failure"], second["state"]) == ("again", "killed", "done")
    assert "resumed at step" in Path(second["log"]).read_text()
    trained_once_after_preparation(bench)


def test_a_job_cancelled_from_outside_is_done_by_the_next_run(bench: Bench) -> None:
    bench.write(steps=LONG)
    driver = bench.start_training()
    job = bench.until_training()
    assert bench.cluster is not None
    bench.cluster.command("scancel", job)
    said = bench.end(driver, expect=3)
    assert "was cancelled" in said
    assert "\n1 stage not done; go on with: " in said and " harness run " in said
    assert not bench.cluster.jobs(), "a cancelled job must not come back to life"
    bench.train()
    first, second = bench.attempts_at(0)
    assert (first["state"], second["state"]) == ("stopped", "done")
    trained_once_after_preparation(bench)


@pytest.mark.full
def test_a_node_drained_in_the_middle_and_then_crashed_only_delays_the_study(bench: Bench) -> None:
    bench.write(steps=LONG)
    cluster = bench.cluster
    assert cluster is not None
    node = ("scontrol", "update", "NodeName=127.0.0.1")
    driver = bench.start_training()
    job = bench.until_training()
    process = bench.process_of("train")
    cluster.command(*node, "State=DRAIN", "Reason=test")
    try:
        cluster.command("scontrol", "requeue", job)  # as administrators do who want the node
        bench.until(lambda: is_gone(process))
        bench.until(lambda: "DRAIN" in bench.run("status").upper())
    finally:
        cluster.command(*node, "State=RESUME")
    (attempt,) = bench.attempts("train")
    log = Path(attempt["log"])
    bench.until(lambda: "resumed at step" in log.read_text())
    cluster.crash()
    cluster.start_slurmd()
    bench.end(driver)
    assert log.read_text().count("resumed at step") == 2
    trained_once_after_preparation(bench)


def trained_once_after_preparation(bench: Bench) -> None:
    bench.same_bytes(bench.undisturbed())
    bench.same_records(bench.undisturbed())
    bench.one_record_per_key(1)
    assert [a["state"] for a in bench.attempts("train")].count("done") == 1

"""This code beside the code before its redesign (87b48fe), on the same work, by turns.

    python -m pytest -m benchmark tests/benchmarks/test_beside_before.py -s     # half an hour

Processor time (user and system) of whole process trees is compared, which neighbours on the
machine hardly change. A figure is the median of the ratios of 20 pairs, with the interval that
their order gives at 95 percent; it fails only if all of that interval lies above 1.05. The commit
before is unpacked from this clone: where it is not in it, there is nothing to compare with.
"""

from __future__ import annotations

import io
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from unpacking import extract

sys.path.insert(0, str(Path(__file__).parents[1] / "dispatch" / "slurm"))

from private_cluster import PrivateCluster, missing_binaries

ROOT = Path(__file__).parents[2]
BEFORE = "87b48fe"
PAIRS = 20
LIMIT = 1.05
# Of 20 ratios in order, the 6th and the 15th: between them the median lies with 95.9 percent.
LOW, HIGH = 5, 14
TINY = """\
study: tiny
title: Many tiny stages
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
model: {family: DiT-micro, size: S}
train: {steps: 1, batch_size: 8}
matrix:
  axes:
    model.patch_size: [8]
    seed: SEEDS
dispatch: {executor: local, device: cpu, workers: 2, threads: 1}
profiles:
  laptop: {}
"""
SEEDS = 50  # as many trainings, one complexity and one encode
ON_SLURM = """\
study: tiny
title: Models that are only counted
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
model: {family: DiT-micro}
matrix:
  axes:
    model.size: [S, B, L, XL]
    model.patch_size: [4, 2]
dispatch:
  executor: slurm
  device: cpu
  threads: 1
  slurm: {minutes: 10, gpus_per_node: 0, cpus_per_task: 1, mem_gb: 1, pack: 4}
profiles:
  laptop: {}
"""
COUNTED = 8  # stages, in tasks of four
# Runs harness so that its jobs are started by another interpreter than its own.
AS = """
import runpy, sys
sys.executable = sys.argv.pop(1)
runpy.run_module("harness", run_name="__main__")
"""

pytestmark = [pytest.mark.benchmark, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"{BEFORE} is not in this clone")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        extract(archive, folder)
    return folder


def surroundings(side: Path) -> dict[str, str]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **one, "PYTHONPATH": str(side)}


def spent(
    side: Path,
    *arguments: str | Path,
    start: tuple[str, ...] = ("-m", "harness"),
    **environment: str,
) -> float:
    """Processor seconds of one harness command and of all that it starts itself."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        env={**surroundings(side), **environment},
        cwd=side,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


def compare(what: str, now: Callable[[], float], then: Callable[[], float]) -> None:
    """PAIRS turns, either side first by turns; prints the figure and holds it to the limit."""
    now(), then()  # compiled files, and what the disk had not read yet
    pairs = []
    for turn in range(PAIRS):
        if turn % 2:
            first, second = now(), then()
        else:
            second, first = then(), now()
        pairs.append((first, second))
    ratios = sorted(a / b for a, b in pairs)
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    low, high = ratios[LOW], ratios[HIGH]
    print(
        f"\n{what}: {ours:.3f} s now, {theirs:.3f} s before, ratio "
        f"{statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}] of {PAIRS} pairs",
        flush=True,
    )
    assert low <= LIMIT


STEP = """
import sys, tempfile, time
from pathlib import Path
import torch
from harness.stages import train
from harness.stages.benchmark import Setting, training
torch.set_num_threads(1)
last = None
def stopping():
    global last
    if last is not None:
        print(time.process_time() - last, flush=True)
    sys.stdin.readline()
    last = time.process_time()
    return False
setting = Setting("train", "DiT-S/4", batch_size=8, steps=40, device="cpu")
with tempfile.TemporaryDirectory() as folder:
    train.fit(*[*training(setting, Path(folder), torch.device("cpu"), stopping)])
"""


class Training:
    """A process in the middle of a training, which takes one step when it is asked."""

    def __init__(self, side: Path) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-c", STEP], env=surroundings(side), cwd=side, **pipes
        )

    def step(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def test_a_training_step(before: Path) -> None:
    sides = [Training(ROOT), Training(before)]
    try:
        for side in sides:
            side.step()  # the first ones warm up
        compare("a training step of DiT-S/4, batch 8", *(side.step for side in sides))
    finally:
        for side in sides:
            side.process.kill()
            side.process.wait()


def test_a_plan_of_ten_thousand_runs(before: Path, tmp_path: Path) -> None:
    text = (before / "studies" / "scaling.yaml").read_text()
    axis = "    model.patch_size: [8, 4, 2]\n"
    assert axis in text
    path = tmp_path / "many.yaml"
    path.write_text(text.replace(axis, f"{axis}    seed: {list(range(834))}\n"))

    def plan(side: Path) -> float:
        return spent(side, "plan", path, "--results", tmp_path / "results")

    compare("a plan of 10,008 runs", lambda: plan(ROOT), lambda: plan(before))


def test_many_tiny_local_stages(before: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY.replace("SEEDS", str(list(range(SEEDS)))))

    def run(side: Path) -> float:
        with tempfile.TemporaryDirectory(dir=tmp_path) as results:
            return spent(side, "run", path, "--results", results)

    compare(f"{SEEDS + 2} tiny local stages", lambda: run(ROOT), lambda: run(before))


def test_start_of_the_command_line(before: Path) -> None:
    compare("--help", lambda: spent(ROOT, "--help"), lambda: spent(before, "--help"))


TIMED = """#!/bin/bash
"{python}" "$@"
code=$?
times > "{folder}/$$"  # the second line is of its children; a pipe would count none
exit $code
"""


def seconds(said: str) -> float:
    """Of bash's "0m1.234s 0m0.056s"."""
    parts = [one.rstrip("s").split("m") for one in said.split()]
    return sum(60 * float(minutes) + float(rest) for minutes, rest in parts)


@pytest.mark.cluster
def test_stages_on_slurm(before: Path, tmp_path: Path) -> None:
    if (lacking := missing_binaries()) or os.geteuid() != 0:
        pytest.skip(f"a private SLURM needs root and {lacking or 'all of its programs'}")
    path = tmp_path / "tiny.yaml"
    path.write_text(ON_SLURM)
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        cluster = PrivateCluster(Path(folder))
        try:
            cluster.start()

            def run(side: Path) -> float:
                with tempfile.TemporaryDirectory(dir=tmp_path) as here:
                    times = Path(here, "times")
                    times.mkdir()
                    python = Path(here, "python")
                    python.write_text(TIMED.format(python=sys.executable, folder=times))
                    python.chmod(0o755)
                    words = (python, "run", path, "--no-report", "--results", Path(here, "results"))
                    driver = spent(side, *words, start=("-c", AS), **slurm)
                    until = time.monotonic() + 60  # the driver does not wait for a task's end
                    while len(list(times.iterdir())) < 2 and time.monotonic() < until:
                        time.sleep(0.1)
                    time.sleep(0.5)
                    tasks = [seconds(one.read_text().splitlines()[1]) for one in times.iterdir()]
                    assert len(tasks) == 2 and min(tasks) > 0.1, "two packs of four, which import"
                    return driver + sum(tasks)

            slurm = {k: v for k, v in cluster.env.items() if os.environ.get(k) != v}
            compare(f"{COUNTED} stages on SLURM", lambda: run(ROOT), lambda: run(before))
        finally:
            cluster.stop()

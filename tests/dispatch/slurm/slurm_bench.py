"""One tiny study, one results folder, and the command line on them."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import warm
from private_cluster import PrivateCluster

PATIENCE_S = 280  # a busy machine takes a minute to import torch
LONG = 400  # steps: some seconds of training, a checkpoint every ten steps
STUDY = """\
study: tiny
title: Tiny diffusion transformers
profile: here
data: {{}}
model: {{family: DiT-micro}}
matrix:
  axes:
    model.size: {sizes}
    model.patch_size: {patches}
report: {{sections: [headline]}}
profiles:
  here:
    data: {{name: glyphs, image_size: 8, channels: 1, num_classes: 10, train_images: 100}}
    train: {{steps: {steps}, batch_size: 8, learning_rate: {rate}, ema: 0.9, log_every: 10,
      checkpoint_every: 10}}
    reference: {{extractor: glyphs-cnn, extractor_images: 100, extractor_steps: 5, images: 60,
      recall_images: 40}}
    evaluations:
      final: {{at: end, sampling_steps: 2, samples: 40, split_size: 40, batch_size: 40}}
    dispatch:
      executor: slurm
      device: cpu
      threads: 1
      slurm: {{minutes: 10, gpus_per_node: 0, cpus_per_task: 1, mem_gb: 1, pack: 8}}
"""


class Baseline:
    """What local workers make of a study, undisturbed: run once for all tests that compare."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, bench: Bench, *more: str) -> Path:
        """The results folder of `bench`'s study as it is written now."""
        text = bench.file.read_text() + repr(more)
        results = self.folder / hashlib.sha256(text.encode()).hexdigest()[:12]
        if not results.exists():
            local = ("--executor", "local", *(("--workers", "1") if more else ()))
            bench.run("run", "--no-report", *local, *more, results=results)
        return results

    def prepared(self) -> Path:
        """The data and the counts of two models, from which most tests start to train."""
        other = Bench(self.folder / "prepared", baseline=self)
        other.write(patches="[4, 2]")
        return self.of(other, "--only", "encode", "--only", "complexity")


class Bench:
    """One study, one results folder, and the command line on them."""

    python = sys.executable  # of drivers and their jobs; local runs need none of their own

    def __init__(
        self,
        folder: Path,
        cluster: PrivateCluster | None = None,
        baseline: Baseline | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.cluster = folder, cluster
        self.baseline = baseline or Baseline(folder / "undisturbed")
        self.processes: list[subprocess.Popen[str]] = []
        self.results = folder / "results"
        self.file = folder / "tiny.yaml"
        self.write()
        environment = cluster.env if cluster else dict(os.environ)
        self.env = {**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}

    def write(
        self,
        sizes: str = "[S]",
        patches: str = "[4]",
        steps: int = 20,
        rate: str = "1e-3",
        text: str = STUDY,
    ) -> None:
        self.file.write_text(text.format(sizes=sizes, patches=patches, steps=steps, rate=rate))

    def words(self, verb: str, *more: str, results: Path | None = None) -> list[str]:
        python = warm.python() if "local" in more else self.python
        return [
            *(python, "-m", "harness", verb, str(self.file), *more),
            *("--results", str(results or self.results)),
        ]

    def start(self, verb: str, *more: str, results: Path | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.words(verb, *more, results=results),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Leave no driver behind, also when a test failed."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def end(
        self, process: subprocess.Popen[str], expect: int = 0, wait_s: float = PATIENCE_S
    ) -> str:
        """Wait for a command; its output."""
        said, _ = process.communicate(timeout=wait_s)
        assert process.returncode == expect, f"exit code {process.returncode}:\n{said}"
        return said

    def run(
        self, verb: str, *more: str, results: Path | None = None, expect: int | None = 0
    ) -> str:
        """The command's output; its exit code must be `expect`."""
        process = self.start(verb, *more, results=results)
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            raise AssertionError(f"{verb} did not end:\n{said}") from None
        if expect is not None:
            assert process.returncode == expect, f"exit code {process.returncode}:\n{said}"
        return said

    def train(self, *more: str, expect: int | None = 0) -> str:
        """Run as far as the trained models."""
        return self.run("run", "--no-report", "--only", "train", *more, expect=expect)

    def start_training(self, *more: str) -> subprocess.Popen[str]:
        """`train` in the background, of models whose data and counts are there already."""
        for folder in (self.baseline.prepared() / "artifacts").iterdir():
            there = self.results / "artifacts" / folder.name
            shutil.copytree(folder, there, dirs_exist_ok=True)
        return self.start("run", "--no-report", "--only", "train", *more)

    def undisturbed(self, *more: str, whole: bool = False) -> Path:
        """The results of local workers that nobody disturbed: trained models, or everything."""
        return self.baseline.of(self, *more, *(() if whole else ("--only", "train")))

    def attempts(self, kind: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(p.read_text()) for p in self.results.glob("attempts/*/[0-9]*.json")]
        return [a for a in found if kind is None or a["kind"] == kind]

    def jobs(self, kind: str) -> list[list[str]]:
        """[name, job_index, state, partition] of this bench's jobs of a kind."""
        assert self.cluster is not None
        mine = {a["batch"] for a in self.attempts(kind)}
        return [job for job in self.cluster.jobs() if job[0] in mine]

    def until(self, what: Callable[[], Any], timeout: float = PATIENCE_S) -> Any:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"did not happen within {timeout} s")

    def until_training(self, count: int = 1) -> str:
        """Wait until `count` trainings have saved a checkpoint; the job id (JOB_INDEX) of one."""
        self.until(lambda: len({p.parent for p in self.results.glob("scratch/*/step-*")}) >= count)
        return str(self.until(lambda: [j[1] for j in self.jobs("train") if j[2] == "RUNNING"])[0])

    def stopped_in_training(self, count: int = 1) -> dict[int, int]:
        """`count` trainings' processes by array element, each stopped when it has a checkpoint.

        It would be done before its time comes, on a machine where another is slow to begin.
        SLURM continues a stopped process when it preempts it or its time is over.
        """
        held: dict[int, int] = {}

        def all_are_held() -> bool:
            running = [a for a in self.attempts("train") if a["state"] == "running"]
            there = self.processes_of("train")
            for attempt in running:
                index, saved = attempt["index"], self.results / "scratch" / attempt["key"]
                if index in there and index not in held and list(saved.glob("step-*")):
                    os.kill(there[index], signal.SIGSTOP)
                    held[index] = there[index]
            return len(held) >= count

        self.until(all_are_held)
        return held

    def all_processes_of(self, kind: str) -> dict[int, int]:
        """The processes of running tasks: process id -> array element."""
        batches = {a["batch"] for a in self.attempts(kind) if a["state"] == "running"}
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                if Path(words[0]).name.startswith("python") and batches & set(words):
                    variables = (entry / "environ").read_bytes().decode().split("\0")
                    of = dict(v.partition("=")[::2] for v in variables)
                    found[int(entry.name)] = int(of["SLURM_ARRAY_TASK_ID"])
        return found

    def processes_of(self, kind: str) -> dict[int, int]:
        """Array element -> process id, of tasks that have one process each."""
        return {index: process for process, index in self.all_processes_of(kind).items()}

    def process_of(self, kind: str) -> int:
        """The process of the one running task."""
        (process,) = self.all_processes_of(kind)
        return process

    def task_log(self, kind: str = "train") -> str:
        """What this kind's tasks printed outside their stages."""
        found = self.results.glob(f"slurm/harness-{kind}-*/*_log.err")
        return "".join(path.read_text() for path in found)

    def frames(self, results: Path | None = None) -> dict[str, Any]:
        """The records, less what differs from run to run (times, machine)."""
        from harness.store import records, tables

        out = {}
        for name, frame in records.read_frames(results or self.results).items():
            volatile = [c.name for c in tables.TABLES[name] if c.volatile and c.name in frame]
            volatile += [c for c in ("commit",) if c in frame]  # of a tree that is being worked on
            out[name] = frame.drop(columns=volatile)
        return out

    def attempts_at(self, index: int) -> list[dict[str, Any]]:
        """The attempts at the training that was first given to this array element, in order."""
        (first,) = [a for a in self.attempts("train") if a["index"] == index and a["id"] < "002"]
        found = [a for a in self.attempts("train") if a["key"] == first["key"]]
        return sorted(found, key=lambda a: str(a["id"]))

    def same_records(self, other: Path) -> None:
        import pandas as pd

        mine, theirs = self.frames(), self.frames(other)
        for name, frame in theirs.items():
            pd.testing.assert_frame_equal(mine[name], frame)

    def same_bytes(self, other: Path) -> None:
        """Every trained model's weights, averages and optimizer are the other's, bit for bit."""
        found = checkpoints(self.results)
        assert found and found == checkpoints(other)

    def one_record_per_key(self, expected: int) -> None:
        """Every trained model is recorded once, in one fragment or compacted."""
        frames = self.frames()
        assert len(frames["runs"]) == expected
        folder = self.results / "records" / "runs"
        names = [path.name.partition(".")[0] for path in folder.glob("[!_]*.json")]
        assert len(names) == len(set(names))
        assert len(list(folder.glob("compact.*.parquet"))) <= 1

    def interrupt(self, process: subprocess.Popen[str]) -> str:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
        return said


def checkpoints(results: Path) -> dict[tuple[str, str], str]:
    """(key, file) -> SHA-256 of the bytes on disk, of the trained models."""
    return {
        (path.parent.name, path.name): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in results.glob("artifacts/train/*/*.safetensors")
    }


@contextlib.contextmanager
def frozen(process: int) -> Iterator[None]:
    """Its main thread, where Python handles signals, does nothing at all; SIGKILL still works."""
    attach, detach = 16, 17  # ptrace's
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(attach, process, None, None):
        raise OSError(ctypes.get_errno(), f"cannot attach to process {process}")
    os.waitpid(process, 0)
    try:
        yield
    finally:
        if libc.ptrace(detach, process, None, None):  # it was killed: its parent waits for us
            os.waitpid(process, 0)


def is_gone(process: int) -> bool:
    """Did it end, though its parent may not have asked yet?"""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"

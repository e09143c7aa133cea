"""SIGKILL at random moments, and what must be the same after it as if nobody had been killed."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from harness import load_results
from harness.store import tables

Victims = Callable[[], list[int]]
DRIVER, WORKER, ALL = "driver", "worker", "all"


def comparable(root: Path) -> dict[str, pd.DataFrame]:
    """The records, without the columns in which two executions may differ."""
    return {
        name: frame[tables.comparable(name)].sort_values(list(tables.IDENTITY[name]))
        for name, frame in load_results(root).items()
    }


def assert_same_records(a: Path, b: Path) -> None:
    """The same rows, each once, and every value bit for bit."""
    left, right = comparable(a), comparable(b)
    for name in left:
        pd.testing.assert_frame_equal(
            left[name].reset_index(drop=True), right[name].reset_index(drop=True), check_exact=True
        )
        assert not right[name].duplicated(list(tables.IDENTITY[name])).any()


def contents(results: Path) -> dict[str, str]:
    """Every artifact's files, less what names the execution: path -> SHA-256."""
    return {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in results.glob("artifacts/*/*/**/*")
        if path.is_file() and path.name not in ("manifest.json", "record.json")
    }


def workers_of(folder: Path, wait_s: float = 0.0) -> list[int]:
    """Worker processes of a results folder; with wait_s, those that are left after a while."""
    until = time.monotonic() + wait_s
    while True:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    place = os.readlink(entry / "cwd")
                except OSError:
                    continue
                if b"harness.dispatch.worker" in words and place == str(folder):
                    found.append(int(entry.name))
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.25)


def kill(processes: Iterable[int]) -> int:
    """How many of them were there to be killed."""
    killed = 0
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            killed += 1
    return killed


def kill_at_random(
    start: Callable[[], subprocess.Popen[str]],
    workers: Victims,
    chance: random.Random,
    kills: int,
    victims: tuple[str, ...],
    pause_s: float,
    may_fail: bool,
) -> collections.Counter[str]:
    """Start drivers, one after another, and kill them or their workers, until one ends or `kills`.

    Half of the pauses are short (up to 1 s), the others up to `pause_s`. May_fail: a driver may
    give a stage up whose worker was killed too often; the next one tries it again. Returns how
    many of each were killed.
    """
    done: collections.Counter[str] = collections.Counter()
    driver = start()
    try:
        while done.total() < kills:
            longest = chance.choice((1.0, pause_s))
            try:
                said, _ = driver.communicate(timeout=chance.uniform(0, longest))
            except subprocess.TimeoutExpired:
                pass
            else:
                assert driver.returncode in ((0, 1) if may_fail else (0,)), said
                if driver.returncode == 0:
                    break
                driver = start()
                continue
            victim = chance.choice(victims)
            if victim == WORKER:
                there = workers()
                done[victim] += kill([chance.choice(there)] if there else [])
                continue
            kill([driver.pid])
            done[victim] += 1
            if victim == ALL:  # as a power cut does
                done[WORKER] += kill(workers())
            driver.communicate()
            driver = start()
    finally:
        driver.kill()
        driver.communicate()
    return done

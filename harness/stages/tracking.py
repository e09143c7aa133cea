"""What trackers receive: losses while a training goes on, metrics and samples once committed.

Whatever a tracker raises is printed to the stage's log, once, and it receives nothing more by this
stage: a run never fails because of it, and never differs. A thread of its own feeds each tracker,
so a training does not wait for a server that does not answer. Opening and closing have a time
limit; a tracker that misses it receives nothing more by this process.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from harness.components import registry
from harness.components.tracker import Tracked, Tracker, Tracking
from harness.errors import on_one_line
from harness.plan.stages import Task
from harness.stages.samples import read_strip
from harness.store.artifacts import Rows

LIMIT_S = 60.0  # that a stage waits for a tracker to open, and again for it to close
WAITING = 1000  # messages to a tracker that is slower than the training; more are not kept

_hung: set[str] = (
    set()
)  # trackers that missed the limit in this process: nobody waits for them again


class Trackers:
    """All trackers of a study, open for one run. Without any, nothing is done."""

    def __init__(self, given: Iterable[Mapping[str, Any]], tracked: Tracked) -> None:
        self.open = [_Told(dict(one), tracked) for one in given]

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        """Tell all trackers those of the values that are finite numbers."""
        finite = {
            name: float(value)
            for name, value in values.items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        self._each(lambda tracking: tracking.scalars(step, dict(finite)))

    def images(self, step: int, name: str, images: np.ndarray) -> None:
        """Tell all trackers a strip of samples, uint8 (n, H, W, C)."""
        self._each(lambda tracking: tracking.images(step, name, images.copy()))

    def close(self) -> None:
        """Close every tracker that is still told: each has LIMIT_S for what it was not told yet."""
        for told in self.open:
            told.close()
        self.open.clear()

    def _each(self, tell: Callable[[Tracking], None]) -> None:
        for told in self.open:
            told.tell(tell)


class _Told:
    """One tracker, and the thread that tells it."""

    def __init__(self, settings: dict[str, Any], tracked: Tracked) -> None:
        self.name = str(settings.pop("name"))
        self.package = self.name
        self.ended = False  # it receives nothing more
        self.began: float | None = None  # when the call that runs now began; None between calls
        self.messages: queue.Queue[Callable[[Tracking], None] | None] = queue.Queue(WAITING)
        if self.name in _hung:
            self._give_up("it did not answer an earlier stage of this process")
            return
        opened = threading.Event()
        self.thread = threading.Thread(
            target=self._run,
            args=(settings, tracked, opened),
            name=f"tracker {self.name}",
            daemon=True,
        )
        self.thread.start()
        # Training waits until it is open: two threads that import at once can meet half a module.
        if not opened.wait(LIMIT_S):
            self._hang()

    def tell(self, tell: Callable[[Tracking], None]) -> None:
        """Tell it soon. Nobody waits."""
        if self.ended:
            return
        if self._stuck():
            self._hang()
            return
        try:
            self.messages.put_nowait(tell)
        except queue.Full:
            self._give_up(f"{WAITING:,} messages wait for it, as it is slower than the training")

    def close(self) -> None:
        """Tell it what it was not told yet, and close it, within the limit."""
        if self.ended:
            return
        until = time.monotonic() + LIMIT_S
        if not self._stuck():
            with contextlib.suppress(queue.Full):
                self.messages.put(None, timeout=LIMIT_S)
                self.thread.join(max(until - time.monotonic(), 0))
        if self.thread.is_alive():
            self._hang()

    def _run(self, settings: dict[str, Any], tracked: Tracked, opened: threading.Event) -> None:
        # Whatever it is, SystemExit included: a library that cannot log in ends no training either.
        try:
            self.began = time.monotonic()
            cls: Any = registry.get("tracker", self.name)
            self.package = getattr(cls, "package", None) or self.name
            tracker: Tracker = cls.model_validate(settings, strict=False)
            tracking = tracker.open(tracked)
            opened.set()
            while not self.ended:
                self.began = None
                tell = self.messages.get()
                self.began = time.monotonic()
                if tell is None:
                    tracking.close()
                    return
                tell(tracking)
        except BaseException as error:
            hint = ""
            if isinstance(error, ImportError):
                hint = f" (pip install {self.package}, or take it out of dispatch.trackers)"
            self._give_up(" ".join(traceback.format_exception_only(error)).strip() + hint)
        finally:
            opened.set()

    def _stuck(self) -> bool:
        """Did the call that runs now begin longer ago than the limit?"""
        began = self.began
        return began is not None and time.monotonic() - began > LIMIT_S

    def _hang(self) -> None:
        _hung.add(self.name)
        self._give_up(f"it did not answer for {LIMIT_S:g} s")

    def _give_up(self, why: str) -> None:
        if self.ended:
            return
        self.ended = True
        said = f"the tracker {self.name} receives nothing more by this stage: {why}"
        with contextlib.suppress(OSError, ValueError):  # the log is full, or the stage has ended
            print(said.encode("utf-8", "backslashreplace").decode(), flush=True)


def leave(code: int) -> NoReturn:
    """End this process: at once where a tracker hangs, whose threads Python's own end waits for."""
    if _hung:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def of_task(task: Task, run: str, results: Path, settings: Mapping[str, Any]) -> Trackers:
    """The trackers of a task's study, opened for the run of this identity."""
    label = task.place.model or task.label
    tracked = Tracked(task.place.study or "study", run, label, settings, results)
    return Trackers(task.place.trackers, tracked)


def committed(task: Task, rows: Rows, samples: Path | None, results: Path) -> None:
    """Tell of a committed evaluation: its metrics, and a strip of what was measured.

    samples: the folder of the sample stage's artifact.
    """
    if not task.place.trackers:
        return
    try:
        _tell_committed(task, rows, samples, results)
    except Exception as error:  # the numbers are committed: what is shown of them fails nothing
        print(f"trackers were not told of it: {on_one_line(error)}", flush=True)


def _tell_committed(task: Task, rows: Rows, samples: Path | None, results: Path) -> None:
    metrics = [row for row in rows.get("metrics", []) if row.get("run") and row.get("step")]
    if task.kind == "evaluate" and metrics:
        first = metrics[0]
        trackers = of_task(task, first["run"], results, _recipe(first))
        try:
            of = _evaluation(task, first)
            values = {f"{of}/{row['metric']}": row["value"] for row in metrics}
            trackers.scalars(int(first["step"]), values)
            shown = None if samples is None else read_strip(samples)
            if shown is not None:
                trackers.images(int(first["step"]), f"{of}/samples", shown)
        finally:
            trackers.close()


def _evaluation(task: Task, row: Mapping[str, Any]) -> str:
    """A short name that tells the evaluations of one run apart."""
    words = [task.place.evaluation or "evaluation"]
    if row.get("sampling_steps"):
        words.append(f"{row['sampling_steps']} steps")
    if row.get("guidance_scale") not in (None, 1, 1.0):
        words.append(f"guidance {row['guidance_scale']:g}")
    return " ".join(words)


def _recipe(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("model", "seed", "batch_size", "learning_rate", "gflops", "params", "recipe")
    return json.loads(json.dumps({n: row[n] for n in names if n in row}, default=str))  # type: ignore[no-any-return]

"""Telling trackers: losses while a training goes on, metrics and samples once they are committed.

Whatever a tracker raises is printed to the stage's log, once, and that tracker is told nothing more
by this stage: a run never fails because of it, and never differs.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.components import registry
from harness.components.tracker import Tracked, Tracker, Tracking
from harness.plan.stages import Task
from harness.stages.samples import read_strip
from harness.store.artifacts import Rows


class Trackers:
    """All trackers of a study, open for one run. Without any, nothing is done."""

    def __init__(self, given: Iterable[Mapping[str, Any]], tracked: Tracked) -> None:
        self.tracked = tracked
        self.open: dict[str, Tracking] = {}
        for one in given:
            settings = dict(one)
            name = settings.pop("name")
            with self._guarded(name):
                cls: Any = registry.get("tracker", name)
                tracker: Tracker = cls.model_validate(settings, strict=False)
                self.open[name] = tracker.open(tracked)

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
        """Close every tracker that is still told."""
        self._each(lambda tracking: tracking.close())
        self.open.clear()

    def _each(self, tell: Callable[[Tracking], None]) -> None:
        for name, tracking in list(self.open.items()):
            with self._guarded(name):
                tell(tracking)

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:  # a library's sys.exit ends no training either
            self.open.pop(name, None)
            hint = ""
            if isinstance(error, ImportError):
                package = getattr(registry.get("tracker", name), "package", None) or name
                hint = f" (pip install {package}, or take it out of dispatch.trackers)"
            print(
                f"the tracker {name} is told nothing more by this stage: "
                f"{type(error).__name__}: {error}{hint}",
                flush=True,
            )


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

"""What `run` shows while it works: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from harness.commands.common import duration
from harness.commands.spending import Spending
from harness.dispatch.attempt_words import describe, log_of
from harness.plan.plan import Stage

CLOSING = ("done", "found", "failed", "again", "stopped")


class Estimate:
    """Time left: of every stage that is to do, of whatever kind, also of those that wait.

    A stage takes what finished ones of its kind took in this session (by Gflops, where they are
    counted), or else what was measured before (`known`, device-seconds by key). As much is done at
    once as was so far.
    """

    def __init__(
        self, stages: list[Stage], done: set[str], known: Mapping[str, float] | None = None
    ) -> None:
        self.known = known or {}
        self.left: dict[str, Stage] = {}
        # by kind, of what is left: how much, seconds as measured before, stages not measured
        self.sums: dict[str, list[float]] = {}
        for stage in stages:
            if stage.key not in done:
                self.left[stage.key] = stage
                self._count(stage, 1)
        self.began = time.monotonic()
        self.started: dict[str, float] = {}
        self.busy_s = 0.0  # of stages that ended
        self.measured: dict[str, tuple[float, float]] = {}  # by kind: seconds, and of how much
        self.shares: dict[str, tuple[float, float]] = {}  # done when first heard of, and now

    def _count(self, stage: Stage, sign: int) -> None:
        sums = self.sums.setdefault(stage.kind, [0.0, 0.0, 0])
        seconds = self.known.get(stage.key)
        sums[0] += sign * _amount(stage)
        sums[1] += sign * (seconds or 0.0)
        sums[2] += sign * (seconds is None)

    def _remove(self, stage: Stage) -> None:
        if self.left.pop(stage.key, None) is not None:
            self._count(stage, -1)

    def start(self, stage: Stage) -> None:
        """A stage has begun."""
        self.started[stage.key] = time.monotonic()

    def progress(self, stage: Stage, content: dict[str, Any]) -> None:
        """Count the part of a running stage that was done in this session."""
        if stage.key in self.left and content.get("total"):
            share = min(1.0, content.get("done", 0) / content["total"])
            self.shares[stage.key] = (self.shares.get(stage.key, (share, share))[0], share)

    def finish(self, stage: Stage) -> None:
        """It is done, here or elsewhere."""
        self._remove(stage)
        first, _ = self.shares.pop(stage.key, (0.0, 0.0))
        took = self._ended(stage)
        if took is not None and first < 1:
            seconds, amount = self.measured.get(stage.kind, (0.0, 0.0))
            own = _amount(stage) * (1 - first)
            self.measured[stage.kind] = (seconds + took, amount + own)

    def pause(self, stage: Stage) -> None:
        """It has ended without being done, and still has to be done."""
        self.shares.pop(stage.key, None)
        self._ended(stage)

    def drop(self, stage: Stage) -> None:
        """It is not done in this session."""
        self.pause(stage)
        self._remove(stage)

    def _ended(self, stage: Stage) -> float | None:
        began = self.started.pop(stage.key, None)
        if began is None:
            return None
        took = time.monotonic() - began
        self.busy_s += took
        return took

    def _takes(self, stage: Stage) -> float | None:
        """Seconds of a whole stage; None when nothing says."""
        seconds, amount = self.measured.get(stage.kind, (0.0, 0.0))
        if amount:
            return seconds / amount * _amount(stage)
        return self.known.get(stage.key)

    def seconds(self) -> tuple[float, bool] | None:
        """How long it will take, and whether that is all of it: False where something is left of
        whose kind nothing was measured yet. None until something was."""
        now = time.monotonic()
        total = longest = 0.0
        unknown = 0.0
        for kind, (amount, known, without) in self.sums.items():
            seconds, measured = self.measured.get(kind, (0.0, 0.0))
            total += seconds / measured * amount if measured else known
            unknown += 0 if measured else without
        for key, (first, share) in self.shares.items():
            takes = self._takes(self.left[key])
            if takes is not None:
                total -= takes * share
            elif share > first and key in self.started:
                takes = (now - self.started[key]) / (share - first)
                total += takes * (1 - share)
                unknown -= 1
            longest = max(longest, (takes or 0.0) * (1 - share))
        if total <= 1e-9:
            return None
        busy = self.busy_s + sum(now - began for began in self.started.values())
        at_once = max(1.0, min(busy / max(now - self.began, 1e-9), len(self.left)))
        return max(total / at_once, longest), unknown <= 0

    def time_left(self) -> str:
        """The time left, as ", about 2 min 10 s left"; "" while it is not known."""
        found = self.seconds()
        if found is None:
            return ""
        seconds, whole = found
        return f", {'about' if whole else 'at least'} {duration(seconds)} left"


def _amount(stage: Stage) -> float:
    """The measure that its time grows with: Gflops, or one stage where they are not counted."""
    return stage.gflops or 1.0


def progress_text(content: dict[str, Any]) -> str:
    """From a stage's message: "300 of 1,500 steps, about 2 min 10 s left, loss 0.21, ..."."""
    parts = []
    if content.get("total"):
        done = min(content["done"], content["total"])
        parts.append(f"{done:,} of {content['total']:,} {content.get('unit', '')}")
    if content.get("left_s") is not None:  # before what a narrow terminal cuts off
        parts.append(f"about {duration(content['left_s'])} left")
    if content.get("loss") is not None:
        parts.append(f"loss {content['loss']:.3f}")
    if content.get("images_per_second"):
        parts.append(f"{content['images_per_second']:,.0f} images/s")
    return ", ".join(parts)


class PlainDisplay:
    """One line per event, for logs and pipes."""

    def __init__(
        self,
        stages: list[Stage],
        done: set[str],
        retry: str,
        out: TextIO | None = None,
        known: Mapping[str, float] | None = None,
        spending: Spending | None = None,
    ) -> None:
        self.out = out or sys.stdout
        self.spending = spending
        self.retry = retry
        self.known = known or {}
        self.started: dict[str, float] = {}
        self.begin(stages, done)

    def begin(self, stages: Iterable[Stage], done: set[str]) -> None:
        """Show the stages to do; once more where they turned out to be others."""
        stages = list(stages)
        self.total, self.finished = len(stages), {s.key for s in stages if s.key in done}
        self.estimate = Estimate(stages, done, self.known)

    @property
    def done(self) -> int:
        """How many stages are done."""
        return len(self.finished)

    def finish(self, stage: Stage) -> None:
        """A stage is done."""
        self.finished.add(stage.key)
        self.estimate.finish(stage)

    def took(self, stage: Stage, content: Mapping[str, Any]) -> float | None:
        """Seconds that a stage ran, as its task said (in a queue it waits before), or since it was
        started; None where it ended before this driver began."""
        ran: float | None = content.get("ran")
        began = self.started.get(stage.key)
        return ran if ran is not None else None if began is None else time.monotonic() - began

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def line(self, text: str) -> None:
        """Print a line with the time of day."""
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Print what a person should know, though nothing failed."""
        self.line(f"note: {text}")

    def __call__(self, event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "note":
            self.line(content["text"])
        if event == "stock":
            self.begin(content["stages"], content["done"])
        if stage is None:
            return
        if event == "start":
            self.started[stage.key] = time.monotonic()
            self.estimate.start(stage)
        elif event == "progress":
            self.estimate.progress(stage, content)
        elif event in ("done", "found"):
            self.finish(stage)
            took = self.took(stage, content)
            ours = "while nobody watched" if took is None else f"in {duration(took)}"
            how = ours if event == "done" else "by another driver"
            hours = self.spending.gpu_hours() if self.spending else ""
            spent = f", {hours}" if hours else ""
            self.line(
                f"{self.done}/{self.total} {stage.label} ({how}){self.estimate.time_left()}{spent}"
            )
        elif event == "failed":
            self.estimate.drop(stage)
            self.line(describe(content["attempt"], self.retry))
        elif event == "again":
            self.estimate.pause(stage)
            attempt = content["attempt"]
            self.line(
                f"{stage.label}: {attempt.failure}: {attempt.error}; tried again"
                + (f" {attempt.next_try}" if attempt.next_try else "")
                + (f" in {duration(content['wait_s'])}" if content["wait_s"] else "")
                + f" (log: {log_of(attempt)})"
            )
        elif event == "stopped":
            self.estimate.drop(stage)
            self.line(f"stopped {stage.label}: {content.get('message', '')}")


class LiveDisplay(PlainDisplay):
    """The same, with what runs now redrawn below the lines of what went wrong."""

    def __enter__(self) -> LiveDisplay:
        from rich.console import Console
        from rich.live import Live

        self.console = Console(file=self.out)
        self.running: dict[str, tuple[Stage, dict[str, Any]]] = {}
        self.live = Live(self._view(), console=self.console, refresh_per_second=4)
        self.live.__enter__()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.live.update(self._view())
        self.live.__exit__(None, None, None)

    def line(self, text: str) -> None:
        """Print a line above the live view."""
        self.console.print(text, markup=False, highlight=False)

    def __call__(self, event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if stage is not None:
            if event == "start":
                self.running[stage.key] = (stage, {})
            elif event == "progress":
                self.running[stage.key] = (stage, content)
            elif event in CLOSING:
                self.running.pop(stage.key, None)
        if event in ("done", "found"):
            assert stage is not None
            self.finish(stage)
        else:
            super().__call__(event, stage, content)
        self.live.update(self._view())

    def _view(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        spent = f", {self.spending.time_spent()}" if self.spending else ""
        table = Table.grid(padding=(0, 2))
        table.add_row(
            Text("stages"),
            ProgressBar(total=max(self.total, 1), completed=self.done, width=24),
            Text(
                f"{self.done:,} of {self.total:,}, {len(self.running)} running"
                f"{self.estimate.time_left()}{spent}"
            ),
        )
        for stage, content in self.running.values():
            total = content.get("total") or 1
            table.add_row(
                Text(stage.kind),
                ProgressBar(total=total, completed=min(content.get("done", 0), total), width=24),
                Text(
                    stage.label.removeprefix(f"{stage.kind} ")
                    + (f"  {progress_text(content)}" if content else ""),
                    overflow="ellipsis",
                    no_wrap=True,
                ),
            )
        return table

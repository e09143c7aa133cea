"""What `run` shows while it works: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from harness.commands.common import duration
from harness.dispatch.ledger import describe, log_of
from harness.plan.plan import Stage

CLOSING = ("done", "found", "failed", "again", "stopped")


class Estimate:
    """Time left, from the Gflops done so far in this session (stages where none are counted)."""

    def __init__(self, stages: list[Stage], done: set[str]) -> None:
        self.left = {s.key: s.gflops or 0.0 for s in stages if s.key not in done}
        self.began = time.monotonic()
        self.finished_gflops = 0.0
        self.finished = 0
        self.shares: dict[str, tuple[float, float]] = {}  # done when first heard of, and now

    def progress(self, stage: Stage, content: dict[str, Any]) -> None:
        """Of what runs, the part that was done in this session counts as well."""
        if stage.key in self.left and content.get("total"):
            share = content.get("done", 0) / content["total"]
            self.shares[stage.key] = (self.shares.get(stage.key, (share, share))[0], share)

    def finish(self, stage: Stage) -> None:
        first, _ = self.shares.pop(stage.key, (0.0, 0.0))
        self.finished_gflops += self.left.pop(stage.key, 0.0) * (1 - first)
        self.finished += 1

    def drop(self, stage: Stage) -> None:
        self.left.pop(stage.key, None)
        self.shares.pop(stage.key, None)

    def seconds(self) -> float | None:
        """None until something that says how long the rest takes was done."""
        elapsed = time.monotonic() - self.began
        done, gflops = self.finished_gflops, sum(self.left.values())
        for key, (first, share) in self.shares.items():
            done += self.left[key] * (share - first)
            gflops -= self.left[key] * share
        if gflops > 0:
            return elapsed * gflops / done if done > 0 else None
        if self.finished and self.left:
            return elapsed * len(self.left) / self.finished
        return None


def progress_text(content: dict[str, Any]) -> str:
    """From a stage's message: "300 of 1,500 steps, about 2 min 10 s left, loss 0.21, ..."."""
    parts = []
    if content.get("total"):
        parts.append(f"{content['done']:,} of {content['total']:,} {content.get('unit', '')}")
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
        self, stages: list[Stage], done: set[str], retry: str, out: TextIO | None = None
    ) -> None:
        self.out = out or sys.stdout
        self.total, self.done = len(stages), len(done)
        self.retry = retry
        self.estimate = Estimate(stages, done)
        self.started: dict[str, float] = {}

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def line(self, text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=self.out, flush=True)

    def __call__(self, event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "note":
            self.line(content["text"])
        if stage is None:
            return
        if event == "start":
            self.started[stage.key] = time.monotonic()
        elif event == "progress":
            self.estimate.progress(stage, content)
        elif event in ("done", "found"):
            self.done += 1
            self.estimate.finish(stage)
            took = duration(time.monotonic() - self.started.get(stage.key, time.monotonic()))
            left = self.estimate.seconds()
            how = f"in {took}" if event == "done" else "by another driver"
            self.line(
                f"{self.done}/{self.total} {stage.label} ({how})"
                + (f", about {duration(left)} left" if left else "")
            )
        elif event == "failed":
            self.estimate.drop(stage)
            self.line(describe(content["attempt"], self.retry))
        elif event == "again":
            attempt = content["attempt"]
            self.line(
                f"{stage.label}: {attempt.failure}: {attempt.error}; tried again"
                + (f" in {duration(content['wait_s'])}" if content["wait_s"] else "")
                + f" (log: {log_of(attempt)})"
            )
        elif event == "stopped":
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
            self.done += 1
            self.estimate.finish(stage)
        else:
            super().__call__(event, stage, content)
        self.live.update(self._view())

    def _view(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        left = self.estimate.seconds()
        table.add_row(
            Text("stages"),
            ProgressBar(total=max(self.total, 1), completed=self.done, width=24),
            Text(
                f"{self.done:,} of {self.total:,}, {len(self.running)} running"
                + (f", about {duration(left)} left" if left else "")
            ),
        )
        for stage, content in self.running.values():
            total = content.get("total") or 1
            table.add_row(
                Text(stage.kind),
                ProgressBar(total=total, completed=content.get("done", 0), width=24),
                Text(
                    stage.label.removeprefix(f"{stage.kind} ")
                    + (f"  {progress_text(content)}" if content else ""),
                    overflow="ellipsis",
                    no_wrap=True,
                ),
            )
        return table

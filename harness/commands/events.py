"""`run --json`: what happens, as one JSON object a line, for other programs to follow.

Every object has `event` and `time` (seconds since 1970). The events, in the order they may come:

    begin     study, profile, total and done (stages)
    note      text
    start     a stage: key, kind, label; log, the file it prints to
    progress  key, kind, label; done and total of `unit`, loss, images_per_second, where known
    done      key, kind, label, seconds; finished and total (stages)
    found     the same, of a stage that another driver did
    again     key, kind, label, failure, error, log; wait_s until it is tried again; next_try, how,
              where it ran out of memory
    failed    key, kind, label, failure, error, log
    stopped   key, kind, label, message
    compacting  table, files: this many files of records begin to be merged into few
    compacted   table, files that went, seconds that it took
    report    path of the report that was written, or is up to date
    end       code (the exit code), finished, total, failed (stages); error, where it did not start

A field that is added later is no break; readers skip what they do not know.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any, TextIO

from harness.commands.display import PlainDisplay
from harness.dispatch.attempt_words import log_of
from harness.plan.plan import Stage


class EventStream(PlainDisplay):
    """A display for programs. What is written is whole lines, flushed one by one."""

    def __init__(
        self,
        stages: list[Stage],
        done: set[str],
        retry: str,
        out: TextIO | None = None,
        known: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(stages, done, retry, out, known)
        self.failed: set[str] = set()

    def line(self, text: str) -> None:
        """A line that people read by itself is an event `note`."""
        self.write("note", text=text)

    def note(self, text: str) -> None:
        """An event `note` says by its name that it is one."""
        self.line(text)

    def write(self, event: str, **content: Any) -> None:
        """Print one event as a line of JSON."""
        said = {"event": event, "time": round(time.time(), 3), **content}
        print(json.dumps(_plain(said), allow_nan=False), file=self.out, flush=True)

    def opened(self, study: str, profile: str) -> None:
        """The event `begin`."""
        self.write("begin", study=study, profile=profile, total=self.total, done=self.done)

    def closed(self, code: int, error: str | None = None) -> None:
        """The event `end`, with the exit code and why nothing started, if so."""
        said = {} if error is None else {"error": error}
        counts = {"finished": self.done, "total": self.total, "failed": len(self.failed)}
        self.write("end", code=code, **counts, **said)

    def __call__(self, event: str, stage: Stage | None, content: dict[str, Any]) -> None:
        if event == "stock":
            self.begin(content["stages"], content["done"])
        elif event == "note":
            self.line(content["text"])
        elif event in ("compacting", "compacted"):
            self.write(event, **content)
        if stage is None:
            return
        about = {"key": stage.key, "kind": stage.kind, "label": stage.label}
        if event == "start":
            self.started[stage.key] = time.monotonic()
            self.write(event, **about, log=str(content["log"]))
        elif event == "progress":
            self.write(event, **about, **content)
        elif event in ("done", "found"):
            self.finish(stage)
            self.failed.discard(stage.key)
            took = self.took(stage, content)
            seconds = None if took is None else round(took, 3)
            self.write(event, **about, seconds=seconds, finished=self.done, total=self.total)
        elif event in ("failed", "again"):
            attempt = content["attempt"]
            if event == "failed":
                self.failed.add(stage.key)
            wait = {"wait_s": content["wait_s"]} if "wait_s" in content else {}
            said = {"failure": attempt.failure, "error": attempt.error, "log": str(log_of(attempt))}
            how = {"next_try": attempt.next_try} if attempt.next_try else {}
            self.write(event, **about, **said, **wait, **how)
        elif event == "stopped":
            self.write(event, **about, message=content.get("message"))


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)

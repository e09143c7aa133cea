"""An attempt in words: when it was, how it failed, where its log is."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from harness.dispatch.executors import printed, queues_called
from harness.dispatch.ledger import Attempt, number_of, tail


def log_of(attempt: Attempt) -> str:
    """Its log; where that is missing or empty, what its task printed outside its stages."""
    if attempt.batch is None or (os.path.exists(attempt.log) and os.path.getsize(attempt.log)):
        return attempt.log
    return str(printed(attempt) or attempt.log)


def when(attempt: Attempt) -> str:
    """When it ended, and which try it was: "2026-03-01 14:05, try 2"."""
    at = time.localtime(attempt.ended or attempt.started)
    return f"{time.strftime('%Y-%m-%d %H:%M', at)}, try {number_of(attempt.id)}"


def why(attempt: Attempt) -> str:
    """Its class, its message, and how the next try differs from it, where it does."""
    how = f"; tried again {attempt.next_try}" if attempt.next_try else ""
    return f"{attempt.failure}: {attempt.error}{how}"


def describe(attempt: Attempt, retry: str) -> str:
    """A failed attempt as the terminal shows it (DESIGN's promise 4)."""
    out = [f"failed: {attempt.label} ({when(attempt)})", f"  {attempt.failure}: {attempt.error}"]
    path = log_of(attempt)
    log = tail(path)
    if log:
        its = "its log"
        if path != attempt.log:
            its = f"what its {queues_called([attempt])} job printed"
        out += [f"  last lines of {its}:", *(f"  | {line}" for line in log.splitlines())]
    out += [f"  log: {path}", f"  try again: {retry}"]
    return "\n".join(out)


def summary(attempt: Attempt) -> dict[str, Any]:
    """An attempt for --json output."""
    return {k: v for k, v in asdict(attempt).items() if v is not None}

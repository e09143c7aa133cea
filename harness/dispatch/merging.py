"""Records merged while others work: by one process at a time, which holds a claim on it."""

from __future__ import annotations

from pathlib import Path

from harness.dispatch.ledger import Ledger
from harness.dispatch.policy import Watch
from harness.store import records

CLAIM = "compaction"
MANY = 1_000  # record files of a table that are merged while a study goes on


def merge(
    root: Path,
    ledger: Ledger,
    above: int = 0,
    watch: Watch | None = None,
) -> int | None:
    """Merge each table's record files where there are more than `above`; how many went.

    watch: hears "compacting" and "compacted" of each such table (harness.store.compaction).

    None: another process is at it. The time and the memory that it takes do not grow with the
    records. Killed at any moment, it leaves every row in some file, and the next one goes on.
    Errors: DiskFull, NotWritable.
    """
    if not ledger.claim(CLAIM):
        return None
    try:
        if watch is None:
            return records.compact(root, above)
        return records.compact(root, above, lambda event, content: watch(event, None, content))
    finally:
        ledger.release(CLAIM)

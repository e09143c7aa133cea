"""What the task of a stage says of it, in files that drivers and `status` read.

    results/slurm/BATCH/state/KEY.json  what it last said

Not synced, and nothing is lost with one: an artifact or the ledger holds what counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.dispatch.executor import Event
from harness.dispatch.slurm import seal
from harness.dispatch.slurm.batch import folder
from harness.dispatch.slurm.living import Living
from harness.dispatch.worker import tell
from harness.store import files

ENDED = ("done", "failed", "stopped", "lost")


def path(root: Path, batch: str, key: str) -> Path:
    """The state file of a stage."""
    return folder(root, batch) / "state" / f"{key}.json"


def write(root: Path, batch: str, key: str, state: str, ran: float | None, **content: Any) -> None:
    """Say where a stage stands: `state` (running, requeued or one of ENDED), seconds it `ran`, and
    more: `used`, its GPUs and joules."""
    there = path(root, batch, key)
    aside = there.parent / f"_{key}.{uuid.uuid4().hex[:8]}"
    try:
        content |= {"state": state, "time": time.time(), "ran": ran}
        aside.write_text(json.dumps(seal.sealed(content)))
        os.replace(aside, there)
    except OSError as error:
        tell(str(files.explain(error, there)), sys.stderr)
        with contextlib.suppress(OSError):
            aside.unlink()


def read(root: Path, batch: str, key: str) -> dict[str, Any]:
    """The last report of a stage's task: its state and progress; {} when no whole one is there."""
    try:
        found = seal.opened(json.loads(path(root, batch, key).read_bytes()))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found.get("state"), str) else {}


def event(key: str, said: dict[str, Any]) -> Event | None:
    """The same as an event, None when nothing was said."""
    if not said:
        return None
    content = {name: value for name, value in said.items() if name != "state"}
    if said["state"] in ENDED:
        return Event(said["state"], key, content)
    if said["state"] == "requeued":
        return Event("progress", key, {"message": said.get("message")})
    return Event("progress", key, content)


def speaking(root: Path, batch: str) -> set[str]:
    """Keys of a batch whose tasks have written something. One directory listing."""
    try:
        return {name.partition(".")[0] for name in os.listdir(folder(root, batch) / "state")}
    except OSError:
        return set()


def changed(root: Path, living: Mapping[str, Living]) -> list[tuple[str, int]]:
    """Keys whose state file is new, and its time. One directory listing per batch."""
    found = []
    for batch in {one.place[0] for one in living.values()}:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder(root, batch) / "state"):
                one = living.get(entry.name.partition(".")[0])
                if one is not None and one.place[0] == batch:
                    with contextlib.suppress(OSError):
                        at = entry.stat().st_mtime_ns
                        if at != one.read_ns:
                            found.append((one.key, at))
    return found

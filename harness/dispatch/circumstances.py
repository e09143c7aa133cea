"""Possible causes of a failure that are not in its stage's key.

Four short digests are written down with each attempt: of the code, of the component files that the
study names, of the files it reads (names, sizes and times, not contents), and of the settings
outside the key. An error that occurred under other circumstances is worth another try.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import harness
from harness.dispatch.ledger import Attempt
from harness.plan.plan import Plan
from harness.plan.stages import Task
from harness.store import files

MEANING = {
    "code": "the code",
    "components": "the study's component files",
    "data": "the files it reads",
    "settings": "settings outside the key",
}


def circumstances(plan: Plan, task: Task) -> dict[str, str]:
    """The digests (16 hexadecimal digits) of a stage as it would be tried now."""
    place = task.place
    paths = (place.data_path, place.autoencoder_weights, place.extractor_weights, place.statistics)
    return {
        "code": code(),
        "components": plan.computed_once(("component files",), lambda: _component_files(plan)),
        "data": plan.computed_once(
            ("files", *paths), lambda: _files(p for p in paths if p is not None)
        ),
        "settings": plan.computed_once(
            ("outside the key", place, task.kind), lambda: _settings(plan, task)
        ),
    }


def changed(attempt: Attempt, now: dict[str, str]) -> list[str]:
    """The differences to now, in words; everything, for an attempt that did not write them down."""
    before = attempt.circumstances or {}
    return [text for name, text in MEANING.items() if before.get(name) != now[name]]


@cache
def code() -> str:
    """A digest of this package's source files."""
    folder = Path(harness.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _component_files(plan: Plan) -> str:
    listed: Iterable[str] = getattr(plan.study.settings, "components", ())
    folder = Path(getattr(plan.study, "path", None) or ".").parent
    digest = hashlib.sha256()
    for name in listed:
        path = folder / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()[:16]


def _files(paths: Iterable[str]) -> str:
    """A digest of files, of folders and of what lies directly in them."""
    seen = []
    for path in paths:
        seen.append((path, *_stat(path)))
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            continue
        seen += [(entry.path, *_stat(entry.path)) for entry in entries]
    return files.checksum(seen)


def _stat(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)


def _settings(plan: Plan, task: Task) -> str:
    settings = plan.study.settings.dispatch
    components = {"executor", "trackers"}  # Pydantic expects names only, and warns of others
    dispatch = settings.model_dump(mode="json", exclude=components)
    dispatch["executor"] = settings.component.model_dump(mode="json")
    dispatch["trackers"] = [_tracker(tracker) for tracker in settings.trackers]
    place = {name: str(value) for name, value in task.place.__dict__.items()}
    return files.checksum([dispatch, place])


def _tracker(tracker: Any) -> object:
    """As a study may write it; a component that was looked up, with its name."""
    if isinstance(tracker, (str, dict)):
        return tracker
    return {"name": tracker.name, **tracker.model_dump(mode="json")}

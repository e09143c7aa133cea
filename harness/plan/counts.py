"""Gflops of networks whose family has no formula for them: counted once, and remembered.

Counting needs torch and the network itself, so it is done in a child process
(harness.models.count_child), on the meta device, for all networks of a study at once. What was
counted is kept in the user's cache folder under the network's architecture and the code that made
it: the component file's SHA-256, the package's version, ours. A count is for plans alone; the
number in the records comes from the complexity stage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.components import registry
from harness.components.base import uses
from harness.components.family import Family, Input
from harness.components.files import File
from harness.errors import on_one_line
from harness.plan import keys
from harness.version import __version__

PATIENCE_S = 600.0  # for the child: torch's first import on a network file system takes minutes
LAST_LINES = 3  # kept of what a failed child printed


@dataclass(frozen=True)
class Counts:
    """Counted networks: Gflops by canonical architecture, and why others have none."""

    gflops: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)  # the network cannot be counted
    unasked: str | None = None  # why nothing could be counted here


def counted(
    networks: Mapping[str, tuple[Family, Input]], files: Sequence[File], folder: Path, ask: bool
) -> Counts:
    """The counts of networks by canonical architecture, from the cache or, if `ask`, of a child.

    files: the study's component files, below `folder`. Raises nothing: a plan without costs is one.
    """
    paths = {text: _path(text, family, files) for text, (family, _) in networks.items()}
    known: dict[str, float] = {}
    for text, path in paths.items():
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known[text] = float(json.loads(path.read_text())["gflops"])
    missing = [text for text in networks if text not in known]
    if not (missing and ask):
        return Counts(known)
    asked = {
        "files": [file.name for file in files],
        "folder": str(folder.resolve()),
        "architectures": [json.loads(text) for text in missing],
    }
    answers, said = _ask(asked)
    if answers is None:
        return Counts(known, unasked=said)
    refused: dict[str, str] = {}
    for text, answer in zip(missing, answers, strict=True):
        if "error" in answer:
            refused[text] = answer["error"]
        else:
            known[text] = answer["gflops"]
            _keep(paths[text], answer)
    return Counts(known, refused)


def _ask(asked: Mapping[str, Any]) -> tuple[list[dict[str, Any]] | None, str]:
    """The child's answers; None and its last words where it had none."""
    command = [sys.executable, "-m", "harness.models.count_child"]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=PATIENCE_S
        )
        if done.returncode == 0:
            return json.loads(done.stdout), ""
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return None, on_one_line(error)
    said = " ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
    return None, said or f"the counting process ended with {done.returncode}"


def _path(text: str, family: Family, files: Sequence[File]) -> Path:
    """Where a network's count is kept: another component, version or file is another count."""
    entry = registry.entry("family", family.name)
    source: Any = entry.package or __version__
    if entry.sha256 is not None:  # a file may use those that are listed with it
        source = sorted(file.sha256 for file in files)
    made = keys.canonical([text, uses([family]), source])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "harness" / "gflops" / f"{hashlib.sha256(made.encode()).hexdigest()}.json"


def _keep(path: Path, answer: Mapping[str, Any]) -> None:
    """Write a count; where the cache cannot be written, nothing is kept."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(answer))
        aside.replace(path)

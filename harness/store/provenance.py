"""The provenance of a number: versions, commit, machine."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "torch-fidelity", "fvcore", "scipy", "pillow", "diffusers")


@functools.cache
def commit() -> str | None:
    """The harness's git commit, with `+changes` when its files differ from it; None outside git."""
    here = Path(__file__).resolve().parent
    try:
        head = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", "..")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}+changes" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


@functools.cache
def versions() -> dict[str, str | None]:
    """Versions of this package and of what computes its numbers."""
    from harness.version import __version__

    found: dict[str, str | None] = {"harness": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def made(device: str, threads: int) -> dict[str, Any]:
    """The provenance columns every record row ends with (harness.store.tables.MADE)."""
    return {
        "harness": versions()["harness"],
        "commit": commit(),
        "torch": versions()["torch"],
        "device": device,
        "threads": threads,
        "host": socket.gethostname(),
        "committed": datetime.now(UTC).isoformat(timespec="seconds"),
    }

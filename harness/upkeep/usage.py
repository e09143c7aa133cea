"""The content of a results folder by kind and by study, and the cost of making it again.

Reads directory entries and manifests, and changes nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.store.artifacts import CorruptArtifact, Store
from harness.store.pruned import KEPT

# Beside artifacts: folder -> what it holds, in a person's words.
OTHERS = {
    "records": "the numbers (Parquet)",
    "studies": "what studies call their stages",
    "attempts": "every execution of a stage",
    "logs": "logs of attempts",
    "scratch": "progress of stages that are not done",
    "staging": "files of commits that go on, or were cut off",
    "quarantine": "damaged artifacts, kept for a look",
    "tensorboard": "events for TensorBoard",
    "environments": "packages that were installed where numbers were made",
    "trackers": "what trackers keep",
    "indexes": "headers of tar files, looks at data",
    "claims": "who works on a stage now",
    "drivers": "processes that work",
    "checkpoints": "names of imported checkpoints",
    "forgotten": "what was let go of: delete it, or `merge` it back",
    "reports": "what each report was made of",
    "pruned": "marks of artifacts whose payload was removed",
}


@dataclass(frozen=True)
class Held:
    """One committed artifact: what its files take, and what making it took."""

    kind: str
    key: str
    payload: int  # bytes of what stages read: checkpoints, samples, latents
    told: int  # bytes of manifest, rows and list of files, which pruning keeps
    seconds: float | None  # that the stage took, by its manifest
    label: str

    @property
    def bytes(self) -> int:
        """Bytes of all its files."""
        return self.payload + self.told


@dataclass(frozen=True)
class Usage:
    """A results folder's content."""

    artifacts: tuple[Held, ...]
    others: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # name -> (files, bytes)

    @property
    def bytes(self) -> int:
        """Bytes of the whole folder."""
        return sum(a.bytes for a in self.artifacts) + sum(size for _, size in self.others.values())

    def by_kind(self) -> dict[str, list[Held]]:
        """The artifacts of each kind, kinds in alphabetical order."""
        found: dict[str, list[Held]] = {}
        for held in self.artifacts:
            found.setdefault(held.kind, []).append(held)
        return dict(sorted(found.items()))


def usage(root: str | Path) -> Usage:
    """All that lies under a results folder."""
    root = Path(root)
    store = Store(root)
    artifacts = []
    for kind in _folders(root / "artifacts"):
        for key in sorted(store.committed([kind])):
            artifacts.append(_held(store, kind, key))
    others = {}
    for name in _folders(root):
        if name != "artifacts":
            others[name] = _size(root / name)
    return Usage(tuple(artifacts), others)


def _held(store: Store, kind: str, key: str) -> Held:
    payload = told = 0
    folder = store.folder(kind, key)
    for place, _, names in os.walk(folder):
        for name in names:
            size = 0
            with contextlib.suppress(OSError):  # moved away just now
                size = os.lstat(os.path.join(place, name)).st_size
            if name in KEPT and place == str(folder):
                told += size
            else:
                payload += size
    seconds, label = None, ""
    with contextlib.suppress(CorruptArtifact):
        manifest = store.manifest(kind, key)
        if manifest is not None:
            seconds = manifest.measured.seconds if manifest.measured else None
            label = manifest.label
    return Held(kind, key, payload, told, seconds, label)


def _folders(place: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(e.name for e in os.scandir(place) if e.is_dir(follow_symlinks=False))
    return []


def _size(place: Path) -> tuple[int, int]:
    """(files, bytes) below a folder. Hard links count once: claims are links."""
    seen: set[tuple[int, int]] = set()
    files = size = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):
                about = os.lstat(os.path.join(folder, name))
                if (about.st_dev, about.st_ino) not in seen:
                    seen.add((about.st_dev, about.st_ino))
                    files, size = files + 1, size + about.st_size
    return files, size


def referred(artifacts: Iterable[Held], studies: Mapping[str, set[str]]) -> dict[str, list[Held]]:
    """Study -> the artifacts that are stages of it; "" -> those of none of the studies."""
    found: dict[str, list[Held]] = {name: [] for name in [*studies, ""]}
    for held in artifacts:
        of = [name for name, keys in studies.items() if held.key in keys]
        for name in of or [""]:
            found[name].append(held)
    return found


def size(count: int) -> str:
    """1234567 -> "1.2 MB": decimal units, as disks are sold."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or (unit == "GB" and value < 1e4):
            break
        value /= 1000
    else:
        unit = "TB"
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"

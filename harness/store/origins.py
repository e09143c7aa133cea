"""Where components that are not installed here came from, as a results folder remembers it.

`run` writes down, beside what a study calls its stages (harness.store.studies), the origin of its
components: a package with its version, or a file with its SHA-256. Every manifest says the same of
its own stage. Data only: nothing is loaded from here.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from harness.components import files, registry
from harness.errors import BadInput
from harness.store import studies

ABSENT = re.compile(r"components: .*\.py: No such file or directory$")
MOST_MANIFESTS = 1000  # that are read where no study's file tells


def sentences(root: Path, error: str) -> list[str]:
    """Sentences on components that an error names and that are not here: where they came from."""
    known: dict[str, Mapping[str, Any]] = {}
    for at, origin in _named_in(root, error):
        known.setdefault(at, origin)
    return [_sentence(root, at, origin) for at, origin in sorted(known.items())]


def only_files_are_absent(error: str) -> bool:
    """Does an error say of component files that they are not there, and nothing else?"""
    return all(ABSENT.search(line) for line in error.splitlines())


def _named_in(root: Path, error: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for read in (_of_studies, _of_manifests):
        found = False
        for origins in read(root):
            for at, origin in origins.items():
                kind, _, name = at.partition(":")
                if repr(name) in error and name not in _names(kind):
                    found = True
                    yield at, origin
        if found:
            return


def _of_studies(root: Path) -> Iterator[Mapping[str, Any]]:
    """Notes of the studies that were run here, the last first."""
    found = []
    for path in (root / studies.FOLDER).glob("*.json"):
        with contextlib.suppress(BadInput):
            found.append(studies.read(path))
    for index in sorted(found, key=lambda each: each.written or "", reverse=True):
        yield index.components


def _of_manifests(root: Path) -> Iterator[Mapping[str, Any]]:
    for path in islice((root / "artifacts").glob("*/*/manifest.json"), MOST_MANIFESTS):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            yield json.loads(path.read_text())["provenance"].get("components") or {}


def _names(kind: str) -> tuple[str, ...]:
    try:
        return registry.names(kind)
    except BadInput:  # of a newer harness
        return ()


def _sentence(root: Path, at: str, origin: Mapping[str, Any]) -> str:
    kind, _, name = at.partition(":")
    came = f"{registry.word(kind)} {name!r} is not installed here; {root} has numbers made with it"
    where, sha256 = str(origin.get("from")), origin.get("sha256")
    version = f"version {origin.get('version')} of {where}"
    if sha256 is None:
        return f"{came}, {version}: install that"
    copy = files.copy_of(root, str(sha256))
    kept = f"; its content is in {copy}, which is never run from there" if copy.exists() else ""
    return f"{came}, {version} (SHA-256 {sha256[:12]}): list that under `components:`{kept}"

"""The checkpoints that `import` has put into a results folder, by the names that studies use.

    results/checkpoints/NAME.json    which train artifact a name stands for

Everything in such a file also stands in that artifact: a damaged one takes nothing with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.plan import keys
from harness.plan.build import Imported
from harness.spec.study import Study
from harness.store.artifacts import CorruptArtifact, Store

FOLDER = "checkpoints"
LABEL = "import "  # and the name: of the artifact


def imported_checkpoints(results: Path) -> dict[str, Imported]:
    """The checkpoints that `harness import` has put into a results folder, by name.

    Of a damaged file what its artifact says, where there is exactly one of that name.
    """
    found: dict[str, Imported] = {}
    damaged = set()
    for path in _files(results):
        entry = _read(path)
        if entry is None:
            damaged.add(path.stem)
        else:
            found[entry.name] = entry
    if damaged:
        said = [e for e in _of_artifacts(Store(results)) if e.name in damaged]
        names = [entry.name for entry in said]
        found |= {entry.name: entry for entry in said if names.count(entry.name) == 1}
    return found


def check(study: Study, results: Path, imported: dict[str, Imported]) -> None:
    """Raise BadInput where a name of the study is damaged, and not found elsewhere."""
    wanted = {r.model.checkpoint for r in study.runs} - imported.keys()
    lost = [p for p in _files(results) if p.stem in wanted] if wanted - {None} else []
    if lost:
        raise BadInput(
            "\n".join(
                f"{path} is damaged, and no artifact says what {path.stem!r} stands for: say "
                f"`python -m harness import FILE --name {path.stem}` again"
                for path in lost
            )
        )


def _files(results: Path) -> list[Path]:
    return sorted((results / FOLDER).glob("[!_]*.json"))


def _read(path: Path) -> Imported | None:
    """Read a name. None where it is damaged: the artifact's settings say what it was."""
    try:
        said = json.loads(path.read_text())
        if not isinstance(said["settings"], str):  # JSON text in JSON until 0.1
            said["settings"] = keys.canonical(said["settings"])
        entry = Imported(**said)
        settings = json.loads(entry.settings)
        whole = (
            _is_key(entry.key, entry.settings)
            and entry.name == path.stem
            and entry.architecture == settings["architecture"]
            and entry.steps == settings["step"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return entry if whole else None


def _of_artifacts(store: Store) -> Iterator[Imported]:
    """Imported checkpoints, by what the artifacts themselves say."""
    for key in sorted(store.committed(["train"])):
        try:
            manifest = store.manifest("train", key)
        except CorruptArtifact:
            continue
        settings: Any = manifest.settings if manifest is not None else {}
        if manifest is not None and "imported" in settings and manifest.label.startswith(LABEL):
            name = manifest.label.removeprefix(LABEL)
            text = keys.canonical(settings)
            if _is_key(key, text):
                yield Imported(name, key, settings["architecture"], text, settings["step"])


def _is_key(key: str, settings: str) -> bool:
    """Is it the key of a train stage of these settings, in this version or an earlier one?"""
    versions = range(1, keys.VERSIONS["train"] + 1)
    return any(keys.stage_key("train", settings, {}, version) == key for version in versions)

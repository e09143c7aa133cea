"""Manifests and results as JSON, of this version and of those before it: the one codec.

`read` and `written` are a manifest's two directions, `result` and `told` those of the result in it
(`harness.store.results`). Format 1 (until 0.1) is translated into today's words. A newer
format, or a result that lacks something, is refused in a sentence that names the version that wrote
it, and is left where it is: another version may be able to read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError
from harness.store import files

if TYPE_CHECKING:  # else when the first result is read: plans of new studies read none
    from harness.store.results import BenchmarkResult

FORMAT = 2
R = TypeVar("R")


class CorruptArtifact(HarnessError):
    """A committed artifact no longer matches its manifest."""


class UnreadableArtifact(CorruptArtifact):
    """It is there and cannot be read now (permission, a disk's error), so it is not thrown away."""


class UnreadableResult(UnreadableArtifact):
    """Another version of the harness wrote it, in a way that this one cannot read."""


@dataclass(frozen=True)
class FileEntry:
    """A file of an artifact."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Measured:
    """How long a stage took, for estimates and budgets."""

    seconds: float  # of its last attempt
    resumed: bool = False  # did an earlier attempt do a part of it?
    gflops: float | None = None
    model: str | None = None
    device: str = ""
    devices: int = 1


@dataclass(frozen=True)
class Manifest:
    """The manifest of a committed artifact."""

    kind: str
    key: str
    files: Mapping[str, FileEntry]
    facts: Mapping[str, Any]  # the result, for `result` to read
    tables: Mapping[str, int] | None = None  # rows per table; None: an older one does not say
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)  # role -> key
    label: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    measured: Measured | None = None
    format: int = FORMAT

    @property
    def version(self) -> str:
        """The version of the harness that wrote it, in words."""
        return f"harness {self.provenance.get('harness') or 'of an unknown version'}"


# --- manifests ------------------------------------------------------------------------------------


def read(data: Any, kind: str, key: str, where: object) -> Manifest:
    """A manifest from its JSON value. where: for messages.

    Raises CorruptArtifact where it is none or is damaged, UnreadableResult for a newer format.
    """
    if not isinstance(data, dict) or data.get("key") != key:
        raise CorruptArtifact(f"{where} is not the manifest of {key}")
    data = dict(data)
    # Older ones have no checksum of their own.
    if data.pop("sha256", None) not in (None, checksum(data)):
        raise CorruptArtifact(f"{where} does not match its checksum")
    entries, version = data.get("files"), data.get("format", 1)
    if not isinstance(version, int):
        raise CorruptArtifact(f"{where} is not a whole manifest")
    if version > FORMAT:
        made = _mapping(data, "provenance").get("harness") or "a newer version"
        raise UnreadableResult(
            f"{where} was written by harness {made} in format {version}; this version reads "
            f"formats up to {FORMAT}: update the harness"
        )
    if not (
        isinstance(entries, dict)
        and all(isinstance(e, dict) and {"bytes", "sha256"} <= e.keys() for e in entries.values())
        and isinstance(data.get("facts"), dict)
    ):
        raise CorruptArtifact(f"{where} is not a whole manifest")
    tables = data.get("tables")
    return Manifest(
        kind=kind,
        key=key,
        files={name: FileEntry(e["bytes"], e["sha256"]) for name, e in entries.items()},
        facts=data["facts"],
        tables=tables if isinstance(tables, dict) else None,
        settings=_settings(data.get("settings")),
        inputs=_mapping(data, "inputs"),
        label=str(data.get("label") or ""),
        provenance=_mapping(data, "provenance"),
        measured=_measured(_mapping(data, "measured")),
        format=version,
    )


def written(
    kind: str,
    key: str,
    entries: Mapping[str, FileEntry],
    facts: Mapping[str, Any],
    tables: Mapping[str, int],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """A manifest as its JSON value. about: settings, inputs, label, provenance, measured."""
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "key": key,
        "files": {name: {"bytes": e.bytes, "sha256": e.sha256} for name, e in entries.items()},
        "facts": dict(facts),
        "tables": dict(tables),
        **about,
    }
    return {**manifest, "sha256": checksum(manifest)}


def checksum(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its own checksum."""
    return files.digest(json.dumps(manifest, sort_keys=True, allow_nan=False).encode())


def _mapping(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _settings(found: Any) -> dict[str, Any]:
    """`import` wrote them as JSON text until 0.1."""
    if isinstance(found, str):
        found = json.loads(found)
    return found if isinstance(found, dict) else {}


def _measured(found: Mapping[str, Any]) -> Measured | None:
    if not isinstance(found.get("seconds"), (int, float)):
        return None
    return Measured(
        seconds=found["seconds"],
        resumed=bool(found.get("resumed")),
        gflops=found.get("gflops"),
        model=found.get("model"),
        device=found.get("device") or "",
        devices=found.get("devices") or 1,
    )


# --- results --------------------------------------------------------------------------------------


def told(result: Any) -> dict[str, Any]:
    """A result as its JSON value."""
    plain: dict[str, Any] = _adapter(type(result)).dump_python(result, mode="json")
    return plain


def result(manifest: Manifest, kind: type[R]) -> R:
    """The result of a manifest. Raises UnreadableResult, saying which version wrote it."""
    from harness.store.results import RESULTS

    if RESULTS[manifest.kind] is not kind:
        raise TypeError(f"the result of {manifest.kind} is no {kind.__name__}")
    from pydantic import ValidationError

    try:
        facts = manifest.facts
        if manifest.format < 2 and manifest.kind in _FORMAT_1:
            facts = _FORMAT_1[manifest.kind](dict(facts), manifest)
        found: R = _adapter(kind).validate_python(facts)
        return found
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        what = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            what = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
        raise UnreadableResult(
            f"the result of {manifest.kind} {manifest.key[:12]}, written by {manifest.version}, "
            f"cannot be read by this version: {what}"
        ) from error


def benchmark(data: Any) -> BenchmarkResult:
    """A benchmark from its JSON value. Raises ValueError where it is none that says a rate."""
    from harness.store.results import BenchmarkResult

    found: BenchmarkResult = _adapter(BenchmarkResult).validate_python(data)
    rate = found.seconds_per_gflop or found.seconds_per_image
    if not {"device", "committed"} <= found.made.keys() or rate is None or rate <= 0:
        raise ValueError("no benchmark")
    return found


def _adapter(kind: type[Any]) -> Any:
    if kind.__name__ not in _adapters:
        from pydantic import TypeAdapter

        _adapters[kind.__name__] = TypeAdapter(kind)
    return _adapters[kind.__name__]


_adapters: dict[str, Any] = {}


# --- what format 1 said, in today's words ---------------------------------------------------------


def _columns_1(described: Mapping[str, Any]) -> dict[str, Any]:
    """Recipes and settings of components were JSON text."""
    columns = dict(described)
    for name in ("recipe", "objective_settings", "sampler_settings"):
        if isinstance(columns.get(name), str):
            columns[name] = json.loads(columns[name])
    return columns


def _complexity_1(facts: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    return {**facts, "architecture": manifest.settings.get("architecture")}


def _train_1(facts: dict[str, Any], _: Manifest) -> dict[str, Any]:
    return {**facts, "columns": _columns_1(facts["described"])}


def _sample_1(facts: dict[str, Any], _: Manifest) -> dict[str, Any]:
    columns = _columns_1({**facts["described"], **facts["sampling"]})
    return {**facts, "columns": columns, "samples": columns["samples"]}


def _reference_1(facts: dict[str, Any], _: Manifest) -> dict[str, Any]:
    from harness.store.results import ReferenceResult

    known = {*ReferenceResult.__dataclass_fields__, "floor", "floor_images"}
    return {**facts, "training": {k: v for k, v in facts.items() if k not in known}}


def _evaluate_1(facts: dict[str, Any], _: Manifest) -> dict[str, Any]:
    return {"absent": facts.get("absent", {})}


_FORMAT_1: dict[str, Callable[[dict[str, Any], Manifest], dict[str, Any]]] = {
    "complexity": _complexity_1,
    "train": _train_1,
    "sample": _sample_1,
    "reference": _reference_1,
    "evaluate": _evaluate_1,
}

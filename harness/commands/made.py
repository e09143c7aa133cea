"""What made a study's numbers, for its report: settings, versions, seeds, checksums, command."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.commands import common
from harness.commands.common import Opened
from harness.spec import shipped
from harness.store.artifacts import CorruptArtifact

if TYPE_CHECKING:
    from harness.dispatch.budget import Given
    from harness.dispatch.ledger import Attempt
    from harness.plan.plan import Plan
    from harness.report.input import Spent

# In keys or not, what a person repeats a training by; where it lay and how it was split is not.
HOW_IT_RAN = {
    "compile", "checkpointing", "batch_per_device", "log_every", "checkpoint_minutes",
    "checkpoint_every", "keep_checkpoints", "fsdp", "tensorboard", "milestones",
}  # fmt: skip
PLACES = {"path", "max_corrupt", "weights", "fingerprint", "sha256"}


def settings_of(opened: Opened, frames: dict[str, Any]) -> dict[str, Any]:
    """Data, recipe and measurement by the setting's name; a list where the study has several."""
    found: dict[str, Any] = {}
    runs = opened.study.runs
    trained = [run for run in runs if run.train is not None]
    kinds: tuple[tuple[str, list[Any], set[str]], ...] = (
        ("", [run.data for run in trained or runs], PLACES),
        ("autoencoder", [run.autoencoder for run in runs], PLACES),
        ("", [run.train for run in trained], HOW_IT_RAN),
    )
    for name, parts, without in kinds:
        for field in type(parts[0]).model_fields if parts else ():
            if field in without:
                continue
            told = {_text(getattr(part, field)): getattr(part, field) for part in parts}
            known = "data" if field == "name" and not name else field
            key = known if not name else name if field == "name" else f"{name} {field}"
            found[key] = next(iter(told.values())) if len(told) == 1 else list(told)
    found["objective"] = _one([_text(run.objective) for run in trained])
    widths = [getattr(run.model.component, "base_width", None) for run in trained]
    if any(width is not None for width in widths):
        found["base_width"] = _one([_text(width) for width in widths])
    found["training seeds"] = _one([run.seed for run in trained])
    for axis in dict.fromkeys(axis for run in runs for axis in run.point):
        values = list(dict.fromkeys(_text(run.point.get(axis)) for run in runs))
        if len(values) > 1:
            found[f"axis {axis}"] = values
    found["extractor"] = values_of(frames["metrics"], "extractor")
    kept = {k: v for k, v in found.items() if v not in (None, [], "", ()) or k == "grad_clip"}
    return {k: v if _plain(v) else _text(v) for k, v in kept.items()}


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)


def _one(values: list[Any]) -> Any:
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else distinct


def _text(value: Any) -> str:
    """A setting as text; a component by its name and what differs from its defaults."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    name = getattr(value, "name", None)
    if name is not None and hasattr(value, "model_dump"):
        more = {k: v for k, v in value.model_dump(exclude_defaults=True).items() if k != "name"}
        own = ", ".join(f"{k.replace('_', ' ')} {_text(v)}" for k, v in more.items())
        return f"{name} ({own})" if own else str(name)
    return str(value)


def of_counts(opened: Opened) -> list[dict[str, Any]]:
    """The provenance of the operation counts."""
    found = []
    for stage in opened.plan.stages.values():
        if stage.kind == "complexity":
            with contextlib.suppress(CorruptArtifact):
                manifest = opened.store.manifest(stage.kind, stage.key)
                if manifest is not None:
                    found.append(dict(manifest.provenance))
    return found


def provenance_of(
    opened: Opened, frames: dict[str, Any], counted: list[dict[str, Any]], latest: str
) -> dict[str, Any]:
    """The provenance of the numbers, for the report's last section."""
    found = {"command": command_of(opened), **of_records(frames, counted, latest)}
    found |= settings_of(opened, frames)
    return {k: v for k, v in found.items() if v not in (None, [], "", {})}


def of_records(
    frames: dict[str, Any], counted: list[dict[str, Any]], latest: str
) -> dict[str, Any]:
    """The provenance that stands beside the numbers themselves."""
    import pandas as pd

    metrics = frames["metrics"]
    if metrics.empty:
        metrics = pd.DataFrame(counted)
    return {
        "records of": latest,
        "harness": values_of(metrics, "harness"),
        "commit": values_of(metrics, "commit"),
        "torch": values_of(metrics, "torch"),
        "versions": _versions(metrics),
        "device": values_of(metrics, "device"),
        "data": values_of(frames["runs"], "data"),
        "data checksum": values_of(frames["runs"], "data_sha256"),
        "extractor": values_of(metrics, "extractor"),
        "extractor checksum": values_of(metrics, "extractor_sha256"),
        "reference images": values_of(metrics, "reference_images"),
        "reference checksum": values_of(metrics, "reference_sha256"),
        "P/R neighbours k": values_of(metrics, "k"),
        "P/R real images": values_of(metrics, "recall_images"),
        "P/R distances": values_of(metrics, "distance_dtype"),
        "training seeds": values_of(frames["runs"], "seed"),
        "sampling seeds": values_of(metrics, "sampling_seed"),
    }


def spent(history: Mapping[str, list[Attempt]], plan: Plan | None = None) -> list[Spent]:
    """What every attempt at a study's stages took (Ledger.history), by kind.

    Where the study can be planned, that says what GPUs a queue gave; else it is what they used.
    """
    from harness.dispatch.budget import Given

    given = Given(plan)
    by_kind: dict[str, list[Attempt]] = {}
    for attempts in history.values():
        for attempt in attempts:
            by_kind.setdefault(attempt.kind, []).append(attempt)
    return [_spent(kind, tried, given) for kind, tried in sorted(by_kind.items())]


def _spent(kind: str, tried: list[Attempt], given: Given) -> Spent:
    from harness.report.input import Spent

    kept = [a for a in tried if a.state == "done"]
    lost = [a for a in tried if a.state not in ("done", "running")]
    ran = [a for a in (*kept, *lost) if a.seconds]  # some were taken out of a queue before
    return Spent(
        kind=kind,
        attempts=len(tried),
        kept=sum(a.seconds for a in kept),
        failed=len(lost),
        lost=sum(a.seconds for a in lost),
        kept_gpu_hours=sum(given.gpu_hours(a) or 0.0 for a in kept),
        lost_gpu_hours=sum(given.gpu_hours(a) or 0.0 for a in lost),
        on_gpus=sum(given.devices(a) != 0 or a.joules is not None for a in ran),
        unknown=sum(given.devices(a) is None for a in ran),
        read=sum(a.joules is not None for a in ran),
        kept_kwh=_kwh(kept),
        lost_kwh=_kwh(lost),
    )


def _kwh(attempts: list[Attempt]) -> float | None:
    joules = [a.joules for a in attempts if a.seconds and a.joules is not None]
    return sum(joules) / 3.6e6 if joules else None


def _versions(rows: Any) -> dict[str, Any]:
    """Versions of what computed the numbers, as recorded with them (not those installed here)."""
    found: dict[str, list[str]] = {}
    made: list[dict[str, Any]] = []
    if "measured_with" in rows:
        made += [json.loads(text) for text in rows["measured_with"].dropna().unique()]
    if "versions" in rows:
        made += list(rows["versions"].dropna())
    for versions in (m.get("versions", m) for m in made):
        for name, version in versions.items():
            if version and name not in ("harness", "torch"):
                found.setdefault(name, []).append(version)
    listed = {name: sorted(set(values)) for name, values in found.items()}
    return {name: v[0] if len(v) == 1 else v for name, v in listed.items()}


def command_of(opened: Opened) -> str:
    """The study's command line, rebuilt from what was opened."""
    study = opened.study
    own = study.profile == study.settings.profile
    return common.command(
        argparse.Namespace(
            study=shipped.given(study.path),
            profile=None if own else study.profile,
            overrides=list(study.overrides),
            results=str(opened.store.root),
        ),
        "run",
    )


def values_of(frame: Any, column: str) -> Any:
    """The distinct values of a column: one, or a list."""
    if column not in frame:
        return None
    values = sorted(set(frame[column].dropna().tolist()), key=str)
    return values[0] if len(values) == 1 else values

"""The content of a report whose study cannot be planned here: what was recorded and kept.

What needs the study itself is left out: images, grids, the settings' table, and sections that a
component brings which is not here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.commands import as_run, made
from harness.commands.results import frames_as_kept
from harness.components import registry
from harness.components.section import Section
from harness.dispatch.ledger import Ledger
from harness.errors import BadInput
from harness.spec.schema import ClaimsSettings, ReportSettings
from harness.spec.study import as_written
from harness.store import studies
from harness.store.artifacts import CorruptArtifact, Store
from harness.store.results import ComplexityResult
from harness.store.studies import Index

if TYPE_CHECKING:
    from harness.report.input import ReportInput


def gather(root: Path, index: Index) -> ReportInput:
    """All that the report says, from the study's records and what its last `run` kept of it."""
    from harness.report.input import ReportInput

    written: Mapping[str, Any] = {}
    with contextlib.suppress(BadInput):  # of a newer harness; its words are not needed
        written = as_written(index.text, f"{index.study}.yaml", index.profile, index.overrides)
    frames = frames_as_kept(root, index)
    counted = _counted(root, index)
    latest = _latest(frames, counted, index)
    seen = as_run.seen(root, index)
    sections, absent = _sections(written)
    notes = [f"The study could not be opened where this was made: it is as it was run {latest}."]
    notes += [f"Its section {name} is not installed there." for name in absent]
    claims = _claims(written)
    missing = {
        key: f"{as_run.label(index, key)}: {'failed' if one.state == 'failed' else 'not done yet'}"
        for key, one in seen.items()
        if one.state != "done"
    }
    return ReportInput(
        study=index.study,
        title=str(written.get("title") or index.study),
        profile=index.profile,
        sections=sections,
        frames=frames,
        provenance=_provenance(frames, counted, latest),
        timestamp=datetime.fromisoformat(latest),
        about=" ".join([str(written.get("about") or ""), *notes]).strip(),
        complexity=[_row(index, key, result) for key, result, _ in counted],
        text=index.text,
        spent=made.spent(Ledger(root).history(index.stages)),
        failures=[
            (missing[key], (one.attempt.error or "").strip().split("\n")[-1])
            for key, one in seen.items()
            if one.state == "failed" and one.attempt
        ],
        missing=list(missing.values()),
        claims=claims.paper,
        claim_pairs=claims.sampling_pairs,
        claims_since=studies.stored_claims(root, index.study, index.profile),
        claims_after=studies.claims_after(root, index.study, index.profile),
    )


Counted = list[tuple[str, ComplexityResult, dict[str, Any]]]  # key, result, provenance


def _counted(root: Path, index: Index) -> Counted:
    store, found = Store(root), []
    for key, stage in index.stages.items():
        if stage.kind == "complexity":
            with contextlib.suppress(CorruptArtifact):
                artifact = store.open(stage.kind, key, verify=False)
                if artifact is not None:
                    result = artifact.result(ComplexityResult)
                    found.append((key, result, dict(artifact.manifest.provenance)))
    return found


def _row(index: Index, key: str, counted: ComplexityResult) -> dict[str, Any]:
    shape = counted.architecture or {}
    runs = index.stages[key].runs
    names = ("block", "depth", "width", "heads", "patch_size", "channels")
    row: dict[str, Any] = {name: shape.get(name) for name in names}
    row |= {k: getattr(counted, k) for k in ("tokens", "params", "gflops", "gflops_paper")}
    named = index.runs[runs[0]].model if runs else None
    none = {"image_size": None, "paper_gflops": None, "paper_params_m": None}
    return {**row, **none, "model": named or counted.model}


def _latest(frames: Mapping[str, Any], counted: Counted, index: Index) -> str:
    """When the last of the numbers was committed."""
    times = [t for f in frames.values() if "committed" in f for t in f["committed"].dropna()]
    times += [p["committed"] for _, _, p in counted if p.get("committed")]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return max(map(str, times), default=index.written or now)


def _sections(written: Mapping[str, Any]) -> tuple[list[str | Section], list[str]]:
    """The sections that are here, and the names of those that are not."""
    report = written.get("report")
    asked = report.get("sections") if isinstance(report, Mapping) else None
    found: list[str | Section] = []
    absent = []
    for each in asked or ReportSettings.model_fields["sections"].default:
        settings = {"name": each} if isinstance(each, str) else dict(each)
        name = settings.pop("name")
        try:
            cls: Any = registry.get("section", name)
            found.append(cls(**settings) if settings else str(name))
        except (BadInput, ValidationError):
            absent.append(str(name))
    return found, absent


def _claims(written: Mapping[str, Any]) -> ClaimsSettings:
    try:
        return ClaimsSettings.model_validate(written.get("claims") or {})
    except ValidationError:
        return ClaimsSettings()


def _provenance(frames: dict[str, Any], counted: Counted, latest: str) -> dict[str, Any]:
    found = made.of_records(frames, [provenance for *_, provenance in counted], latest)
    return {k: v for k, v in found.items() if v not in (None, [], "", {})}

"""Measurements that would say nothing, and what is asked for twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.spec.source import Path_

if TYPE_CHECKING:
    from harness.spec.schema import StudySettings


def problems(settings: StudySettings) -> Iterator[tuple[Path_, str]]:
    """(field, sentence) of each."""
    for name, evaluation in settings.evaluations.items():
        if evaluation is None:
            continue
        at = ("evaluations", name)
        dotted = ".".join(at)
        if evaluation.floor_images == 1:
            yield (
                (*at, "floor_images"),
                f"{dotted}.floor_images is 1: a covariance needs at least 2 images; 0 for no floor",
            )
        for field in sorted(type(evaluation).model_fields.keys() - {"metrics"}):  # said of each
            given = getattr(evaluation, field)
            if isinstance(given, tuple) and (twice := _twice(given)) is not None:
                yield (*at, field), f"{dotted}.{field} lists {_said(twice)} twice"
    for i, (small, large) in enumerate(settings.claims.sampling_pairs):
        if small == large:
            yield (
                ("claims", "sampling_pairs", i),
                f"claims.sampling_pairs: {small} cannot be paired with itself",
            )
    sections = [getattr(s, "name", s) for s in settings.report.sections]
    if (twice := _twice(sections)) is not None:
        yield ("report", "sections"), f"report.sections lists {twice} twice"


def _twice(values: Any) -> Any:
    seen: list[Any] = []
    for value in values:
        if value in seen:
            return value
        seen.append(value)
    return None


def _said(value: Any) -> str:
    fields = getattr(value, "model_dump", None)
    if fields is None:
        return str(value)
    return ", ".join(f"{k} {v}" for k, v in fields(exclude_unset=True).items())

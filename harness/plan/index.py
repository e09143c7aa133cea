"""A plan as the study's file in results/studies/ keeps it (harness.store.studies)."""

from __future__ import annotations

import json
from typing import Any

from harness.plan.plan import Plan
from harness.spec.study import _fields
from harness.store.studies import Index, Point, StageOf, flat


def index(plan: Plan) -> Index:
    """What the study calls each of its stages: labels, evaluations, steps, axes."""
    study = plan.study
    runs: dict[str, dict[int, None]] = {}
    evaluations: dict[str, dict[str, None]] = {}
    steps: dict[str, int] = {}
    for measurement in plan.measurements:
        for key in (measurement.checkpoint, measurement.sample, measurement.evaluate):
            runs.setdefault(key, {})[measurement.run] = None
            steps[key] = measurement.step
        for key in (measurement.sample, measurement.evaluate):
            evaluations.setdefault(key, {})[measurement.evaluation] = None
    evaluations |= plan.floors
    stages = {}
    for key, stage in plan.stages.items():
        if stage.kind == "train" and key not in steps:
            steps[key] = json.loads(stage.settings).get("step")
        own = () if stage.run is None or stage.kind not in OF_RUNS else (stage.run,)
        stages[key] = StageOf(
            stage.kind,
            tuple(runs.get(key, own)),
            tuple(evaluations.get(key, ())),
            steps.get(key),
        )
    points = tuple(
        Point(
            run.label,
            flat(dict(_fields(run.point))),
            run.model.label,
            run.model.family,
            run.model.facts.get("size"),
        )
        for run in study.runs
    )
    return Index(study.name, study.profile, _text(study), points, stages, study.overrides)


OF_RUNS = ("train", "sample", "evaluate", "complexity")  # kinds that are not the whole study's


def _text(study: Any) -> str:
    try:
        return str(study.path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it was moved while we worked
        return ""

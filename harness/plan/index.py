"""A plan as the study's file in results/studies/ keeps it (harness.store.studies)."""

from __future__ import annotations

import json
from typing import Any

from harness.components import registry
from harness.plan.plan import Plan
from harness.spec.checks import sampler_of
from harness.spec.matrix import fields_of
from harness.spec.schema import ClaimsSettings
from harness.spec.study import Study
from harness.store.studies import Index, Point, StageOf, flat


def index(plan: Plan) -> Index:
    """The study's names for its stages: labels, evaluations, steps, axes."""
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
    for key, whole in plan.subsets.items():
        runs[key], evaluations[key], steps[key] = runs[whole], evaluations[whole], steps[whole]
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
            flat(dict(fields_of(run.point))),
            run.model.label,
            run.model.family,
            run.model.facts.get("size"),
        )
        for run in study.runs
    )
    claims = dict.fromkeys(claimed(study.settings.claims))
    return Index(
        study.name,
        study.profile,
        _text(study),
        points,
        stages,
        study.overrides,
        registry.origins(sorted(_components(study))),
        claims=claims,
    )


def claimed(claims: ClaimsSettings) -> list[str]:
    """Ids of the claims that a study decides: the paper's (all, or those named), its own pairs."""
    from harness.paper import chosen_ids

    return chosen_ids(claims.paper, claims.sampling_pairs)


# Kinds of stages that are not the whole study's.
OF_RUNS = ("train", "sample", "evaluate", "subset", "complexity")


def _text(study: Any) -> str:
    try:
        return str(study.path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it was moved while we worked
        return ""


def _components(study: Study) -> set[str]:
    """Every component that a study names, as "kind:name"."""
    settings = study.settings
    found: list[Any] = [*settings.report.sections, settings.dispatch.component]
    objectives = {id(run.objective): run.objective for run in study.runs}.values()
    found += [reference.extractor for reference in study.references.values()]
    for evaluation in study.evaluations.values():
        found += evaluation.metrics
        found += (sampler_of(evaluation, objective) for objective in objectives)
    for run in study.runs:
        found += [run.model.component, run.codec, run.objective, run.data.source]
        if run.train is not None:
            found += [run.train.optimizer, run.train.schedule]
    # a section that has no settings stands there by its name
    return {
        f"section:{each}" if isinstance(each, str) else f"{each.kind}:{each.name}"
        for each in {id(each): each for each in found}.values()
        if each is not None
    }

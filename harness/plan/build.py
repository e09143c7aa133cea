"""Building a plan: a study's runs to stages, each once, in dependency order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.components.family import of_architecture
from harness.errors import BadInput, another_type
from harness.plan import cost, evaluations, keys
from harness.plan.content import with_versions
from harness.plan.counts import Counts
from harness.plan.evaluations import measuring
from harness.plan.plan import Plan, Stage
from harness.plan.template import Template, Training, gflops, template
from harness.spec.study import Run, Study


def make_plan(
    study: Study,
    imported: Mapping[str, Imported] | None = None,
    counts: Counts = Counts(),
) -> Plan:
    """All stages of a study. Pure: touches no file.

    imported: the checkpoints that `model: {checkpoint: NAME}` may name. counts: Gflops of networks
    whose family has no formula; those that it lacks are the plan's `uncounted`. Raises BadInput for
    a checkpoint that is not among the imported.
    """
    if not isinstance(study, Study):
        raise another_type("study", study, "a Study, as harness.load_study returns it")
    plan = Plan(study, counts=counts)
    template_of = _templates(plan)
    _find_trunks(plan, template_of)
    begun: set[int] = set()  # templates whose first run is planned
    for i, run in enumerate(study.runs):
        if run.model.checkpoint is not None:
            _add_imported(plan, i, run, imported or {})
        else:
            shared = template_of(run)
            _add_run(plan, i, run, shared, first=id(shared) not in begun)
            begun.add(id(shared))
    for name in study.settings.baselines:
        plan.add(
            "complexity",
            keys.canonical({"architecture": None, "baseline": name}),
            {},
            (name,),
        )
    return plan


@dataclass(frozen=True)
class Imported:
    """A foreign checkpoint that `harness import` made an artifact of kind train."""

    name: str
    key: str
    architecture: Mapping[str, Any]
    settings: str  # canonical JSON of the artifact's settings
    steps: int | None  # training steps, when known


def _templates(plan: Plan) -> Callable[[Run], Template]:
    """Run to template, each made once. The study keeps the sections that it is known by."""
    known: dict[tuple[int, ...], Template] = {}

    def of(run: Run) -> Template:
        sections = (run.model, run.data, run.autoencoder, run.codec, run.objective, run.train)
        at = tuple([id(section) for section in sections])
        if at not in known:
            known[at] = template(plan, run)
        return known[at]

    return of


def _add_imported(plan: Plan, index: int, run: Run, imported: Mapping[str, Imported]) -> None:
    """An imported checkpoint's stages: it is committed already, so it is only sampled."""
    name = run.model.checkpoint or ""
    if name not in imported:
        near = ", ".join(sorted(imported)) or "none"
        raise BadInput(
            f"model.checkpoint {name!r} was not imported into this results folder (imported: "
            f"{near}); first: python -m harness import FILE --name {name}"
        )
    stored = imported[name]
    family, theirs = of_architecture(stored.architecture)
    ours = run.given()
    if (theirs.side, theirs.channels) != (ours.side, ours.channels):
        raise BadInput(
            f"checkpoint {name!r} takes {theirs.channels}x{theirs.side}x{theirs.side} inputs; "
            f"data.image_size {run.data.image_size} and data.channels {run.data.channels} through "
            f"the {run.codec.name} autoencoder give "
            f"{ours.channels}x{ours.side}x{ours.side}"
        )
    made = json.loads(stored.settings)
    asked = run.objective.key_fields("objective")
    for field, its, wanted in (
        ("data.num_classes", theirs.num_classes, run.data.num_classes),
        *((field.replace("_", ".", 1), made.get(field), value) for field, value in asked.items()),
        ("autoencoder.name", made["autoencoder"], run.codec.content()),
    ):
        if its != wanted:
            raise BadInput(
                f"checkpoint {name!r} was imported with {field} {its}, the study says {wanted}: "
                "its samples would not be what the study means"
            )
    plan.add(
        "complexity",
        keys.canonical({"architecture": dict(stored.architecture), "baseline": None}),
        {},
        (run.model.label,),
        run=index,
    )
    plan.stages[stored.key] = Stage(
        "train", stored.key, stored.settings, {}, {}, (f"{name} (imported)",), 0.0, index
    )
    plan.run_ids.append(stored.key)
    flops = gflops(plan, family, theirs, keys.canonical(dict(stored.architecture)))
    wanted = measuring(plan, run, flops)
    if wanted is not None:
        evaluations.add(plan, index, run.label, {stored.steps or 0: stored.key}, wanted)


def _find_trunks(plan: Plan, template_of: Callable[[Run], Template]) -> None:
    """Where the branches of all runs leave the trunks that they share, and what is sampled there.

    Each run's trunk then goes from one of these steps to the next, so that none is trained twice.
    """
    found: dict[tuple[str, str], set[int]] = {}
    for run in plan.study.runs:
        if run.model.checkpoint is not None:
            continue
        training = template_of(run).training
        if training is not None and training.trunk is not None:
            steps = found.setdefault((training.encode, training.trunk.of(run.seed)), set())
            steps |= {each for each in training.steps if each <= training.shared}
            steps.add(training.shared)
    plan.trunks.update({at: tuple(sorted(steps)) for at, steps in found.items()})


def _add_run(plan: Plan, index: int, run: Run, shared: Template, first: bool) -> None:
    """A run's stages. first: of those that share the template."""
    if first:
        assert run.model.component is not None
        words = (run.model.label, run.model.component.variant)
        plan.add("complexity", shared.complexity_text, {}, words, run=index, key=shared.complexity)
    training = shared.training
    if training is None:
        plan.run_ids.append(None)
        return
    if first:
        images = f"{run.data.name} {run.data.image_size}x{run.data.image_size}"
        plan.add("encode", training.encode_text, {}, (images,), run=index, key=training.encode)
    label = run.label
    checkpoints = _train(plan, index, run, label, shared, training)
    if shared.measuring is not None:
        evaluations.add(plan, index, label, checkpoints, shared.measuring, first, training.encode)


def _train(
    plan: Plan, index: int, run: Run, label: str, shared: Template, training: Training
) -> dict[int, str]:
    """The chain of a run's train stages, as keys by step."""
    assert run.train is not None
    batch_size, total = run.train.batch_size, run.train.steps
    head, trunk = training.head.of(run.seed), None
    steps: tuple[int, ...] = training.steps
    if training.trunk is not None:
        trunk = training.trunk.of(run.seed)
        shares = {each for each in plan.trunks[training.encode, trunk] if each <= training.shared}
        steps = tuple(sorted({*steps, *shares}))
    plan.run_ids.append(keys.run_id(training.encode, f"{head}}}"))

    def price(steps: int) -> float | None:
        if shared.gflops is None:
            return None
        return cost.training_gflops(shared.gflops, batch_size, steps)

    checkpoints: dict[int, str] = {}
    previous, before = None, 0
    for step in steps:
        after = {"complexity": shared.complexity}
        if previous is not None:
            after["previous"] = previous
        in_trunk, known = trunk is not None and step <= training.shared, len(plan.stages)
        previous = checkpoints[step] = plan.add(
            "train",
            f'{trunk if in_trunk else head},"step":{step}}}',
            {"data": training.encode},
            (label, f" to {step:,} (trunk)" if in_trunk else f" to {step:,}"),
            price(step - before),
            after,
            index,
        )
        if trunk is not None and len(plan.stages) > known:
            plan.branched_gflops += plan.stages[previous].gflops or 0.0
        before = step
    if trunk is not None:
        plan.apart_gflops += price(total) or 0.0
    return checkpoints


__all__ = ["Imported", "make_plan", "with_versions"]

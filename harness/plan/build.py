"""Building a plan: a study's runs to stages, each once, in dependency order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.components.base import Component, uses
from harness.components.family import Family, Input, of_architecture
from harness.components.schedule import Schedule
from harness.errors import BadInput
from harness.plan import cost, keys
from harness.plan.counts import Counts
from harness.plan.plan import Measurement, Plan, Stage
from harness.plan.stages import Recipe
from harness.spec.checks import sampler_of
from harness.spec.schema import (
    DataSettings,
    EvaluationSettings,
    GuidanceSettings,
    ReferenceSettings,
)
from harness.spec.study import Run, Study

# A file that a reference is made of is known by its checksum, where the study gives one, else by
# its name, wherever it lies. ADM's own files are what statistics are taken to be.
ADM_STATISTICS = ("VIRTUAL_imagenet256_labeled.npz", "VIRTUAL_imagenet512.npz")


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
    plan = Plan(study, counts=counts)
    _find_trunks(plan)
    for i, run in enumerate(study.runs):
        if run.model.checkpoint is not None:
            _add_imported(plan, i, run, imported or {})
        else:
            _add_run(plan, i, run)
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


def with_versions(settings: dict[str, Any], *components: Component) -> dict[str, Any]:
    """A stage's settings with the versions of the components that a key must name, if any."""
    named = uses(components)
    return {**settings, "components": named} if named else settings


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
            f"data.image_size {run.data.image_size} through the {run.codec.name} autoencoder gives "
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
    gflops = _gflops(plan, family, theirs, keys.canonical(dict(stored.architecture)))
    _evaluations(plan, index, run, run.label, {stored.steps or 0: stored.key}, gflops)


def _images(data: DataSettings, train: bool) -> dict[str, Any]:
    source: Any = data.source
    out = {
        k: getattr(data, k)
        for k in ("name", "fingerprint", "image_size", "channels", "num_classes", "seed")
    }
    made = train and source.made  # files are read whole: the number is only checked
    out["train_images"] = data.train_images if made else None
    if isinstance(data.held_out, float):
        out["held_out"] = data.held_out
    return {**out, "source": source.content()}


def _gflops(plan: Plan, family: Family, given: Input, architecture: str) -> float | None:
    """Strict Gflops of a network; None where they are to be counted first.

    architecture: the canonical text.
    """
    found = family.gflops(given)
    if found is None:
        found = plan.counts.gflops.get(architecture)
    if found is None:
        plan.uncounted[architecture] = family, given
    return found


def _architecture(run: Run) -> dict[str, Any]:
    assert run.model.component is not None
    return run.model.component.architecture(run.given())


def _short(run: Run) -> str:
    """What a model's label leaves out: the design of its blocks."""
    component = run.model.component
    return "" if component is None else component.variant


def _arch_text(plan: Plan, run: Run) -> str:
    what = ("arch", run.model, run.data, run.codec, run.objective)
    return plan.text(*what, make=lambda: _architecture(run))


def _encode_text(plan: Plan, run: Run) -> str:
    return plan.text(
        "encode",
        run.data,
        run.autoencoder,
        run.codec,
        make=lambda: with_versions(
            {
                "data": _images(run.data, train=True),
                "autoencoder": run.codec.content(),
                "autoencoder_sha256": run.autoencoder.sha256,
            },
            run.data.source,  # type: ignore[arg-type]
            run.codec,
        ),
    )


def _schedule(run: Run) -> Schedule:
    assert run.train is not None
    schedule: Any = run.train.schedule
    return schedule  # type: ignore[no-any-return]


def _heads(plan: Plan, run: Run, arch: str, versions: _Versions) -> tuple[str, str | None]:
    """The settings of a run's train stages, less the step and the brace behind it: two texts.

    The first names the length of training where the schedule depends on it; the second, without
    it, is of the stages that all lengths share (None: there are none).
    """
    train = run.train
    assert train is not None
    own = plan.once(
        ("objective", run.objective, versions.train), lambda: _texts(run.objective, versions.train)
    )
    flip = "true" if run.data.flip else "false"

    def head(horizon: bool) -> str:
        recipe = plan.text("recipe", train, int(horizon), make=lambda: _recipe(train, horizon))
        fields = {"architecture": arch, "flip": flip, "recipe": recipe, "seed": str(run.seed)}
        fields |= own
        # sorted, as in the canonical text; `step` comes last
        return "{" + ",".join([f'"{name}":{fields[name]}' for name in sorted(fields)])

    schedule = _schedule(run)
    branches = schedule.horizon_matters and schedule.shared_until(train.steps) > 0
    return head(True), head(False) if branches else None


def _find_trunks(plan: Plan) -> None:
    """Where the branches of all runs leave the trunks that they share, and what is sampled there.

    Each run's trunk then goes from one of these steps to the next, so that none is trained twice.
    """
    found: dict[tuple[str, str], set[int]] = {}
    for run in plan.study.runs:
        if run.model.checkpoint is not None or run.train is None:
            continue
        if not _schedule(run).horizon_matters:
            continue
        versions = plan.once(
            ("versions", run.model, run.objective, run.train), partial(_versions, run)
        )
        _, trunk = _heads(plan, run, _arch_text(plan, run), versions)
        if trunk is None:
            continue
        encode = keys.stage_key("encode", _encode_text(plan, run), {})
        shared = _schedule(run).shared_until(run.train.steps)
        steps = found.setdefault((encode, trunk), set())
        steps |= {each for each in _steps(plan.study.evaluations.values(), run) if each <= shared}
        steps.add(shared)
    plan.trunks.update({at: tuple(sorted(steps)) for at, steps in found.items()})


def _add_run(plan: Plan, index: int, run: Run) -> None:
    component = run.model.component
    assert component is not None
    arch = _arch_text(plan, run)
    gflops = plan.once(
        ("gflops", run.model, run.data, run.codec, run.objective),
        lambda: _gflops(plan, component, run.given(), arch),
    )
    versions = plan.once(("versions", run.model, run.objective, run.train), lambda: _versions(run))
    of_family = f',"components":{versions.family}' if versions.family else ""
    complexity = plan.add(
        "complexity",
        f'{{"architecture":{arch},"baseline":null{of_family}}}',
        {},
        (run.model.label, _short(run)),
        run=index,
    )
    if run.train is None:
        plan.run_ids.append(None)
        return
    train = run.train
    encode = plan.add(
        "encode",
        _encode_text(plan, run),
        {},
        (f"{run.data.name} {run.data.image_size}x{run.data.image_size}",),
        run=index,
    )
    head, trunk = _heads(plan, run, arch, versions)
    plan.run_ids.append(keys.run_id(encode, f"{head}}}"))

    evaluations = plan.study.evaluations
    label = run.label
    shared = 0 if trunk is None else _schedule(run).shared_until(train.steps)
    own = {train.steps, *_steps(evaluations.values(), run)}
    trunks = plan.trunks.get((encode, trunk), ()) if trunk is not None else ()
    checkpoints: dict[int, str] = {}
    previous: int | None = None
    for step in sorted(own | {each for each in trunks if each <= shared}):
        after = {"complexity": complexity}
        if previous is not None:
            after["previous"] = checkpoints[previous]
        beginning, known = trunk if step <= shared else head, len(plan.stages)
        checkpoints[step] = plan.add(
            "train",
            f'{beginning},"step":{step}}}',
            {"data": encode},
            (label, f" to {step:,}") if step > shared else (label, f" to {step:,} (trunk)"),
            None
            if gflops is None
            else cost.training_gflops(gflops, train.batch_size, step - (previous or 0)),
            after,
            index,
        )
        if trunk is not None and len(plan.stages) > known:
            plan.branched_gflops += plan.stages[checkpoints[step]].gflops or 0.0
        previous = step
    if trunk is not None and gflops is not None:
        plan.apart_gflops += cost.training_gflops(gflops, train.batch_size, train.steps)
    _evaluations(plan, index, run, label, checkpoints, gflops)


class _Versions(NamedTuple):
    """The part of a stage's text that names components' versions; "" where there is none."""

    family: str
    train: str


def _versions(run: Run) -> _Versions:
    train: Any = run.train
    assert run.model.component is not None
    own = [run.model.component, run.objective]
    if train is not None:
        own += [train.optimizer, train.schedule]

    def text(components: Iterable[Component]) -> str:
        named = uses(components)
        return keys.canonical(named) if named else ""

    return _Versions(text([run.model.component]), text(own))


def _texts(objective: Any, versions: str) -> dict[str, str]:
    """What an objective, and versions that must be named, add to a train stage's settings."""
    fields = objective.key_fields("objective")
    found = {name: keys.canonical(value) for name, value in fields.items()}
    return {**found, "components": versions} if versions else found


def _recipe(train: Any, horizon: bool) -> dict[str, Any]:
    """How a model is trained, as a key writes it; `horizon`: with how long, where that matters."""
    own = (name for name, field in Recipe.model_fields.items() if field.is_required())
    first, *more = train.emas
    recipe = {**{name: getattr(train, name) for name in own}, "ema": first}
    if more:
        recipe["more_ema"] = sorted(more, reverse=True)
    if train.ema_snapshots is not None:
        recipe["ema_snapshots"] = keys.content(train.ema_snapshots)
    schedule = train.schedule.key_fields("schedule")
    if horizon and schedule and train.schedule.horizon_matters:
        schedule["horizon"] = train.steps
    return {**recipe, **train.optimizer.key_fields("optimizer"), **schedule}


def _evaluations(
    plan: Plan, index: int, run: Run, label: str, checkpoints: dict[int, str], gflops: float | None
) -> None:
    settings, evaluations = plan.study.settings, plan.study.evaluations
    if settings.reference is None or not evaluations:
        return
    extractor: Any = settings.reference.extractor
    reference = plan.add(
        "reference",
        plan.text("reference", settings.reference, run.data, make=lambda: _reference(plan, run)),
        {},
        (f"{run.data.name} {extractor.name}",),
        run=index,
    )
    for name, evaluation in evaluations.items():
        _add_floor(plan, index, run, name, evaluation, reference)
        _add_ceiling(plan, index, run, name, evaluation, reference)
        _add_evaluation(plan, index, run, label, name, evaluation, checkpoints, reference, gflops)


def floor_images(evaluation: EvaluationSettings, reference: ReferenceSettings) -> int:
    """Real images that an evaluation's floor is measured of; 0: it has none.

    As many as samples, where the study holds so many out: a distance depends on the number.
    """
    if evaluation.floor_images is not None:
        return evaluation.floor_images
    return min(reference.floor_images, evaluation.samples)


def _add_floor(
    plan: Plan, index: int, run: Run, name: str, evaluation: EvaluationSettings, reference: str
) -> None:
    """What real images score against the reference, measured as this evaluation measures."""
    plan.once(
        ("floor", evaluation, reference),
        lambda: _plan_floor(plan, index, run, name, evaluation, reference),
    )


def _plan_floor(
    plan: Plan, index: int, run: Run, name: str, evaluation: EvaluationSettings, reference: str
) -> None:
    settings = plan.study.settings.reference
    assert settings is not None
    images = floor_images(evaluation, settings)
    if images < 2:
        return
    text = plan.text(
        "floor",
        evaluation,
        make=lambda: {
            **_measured(evaluation),
            "split": "floor",
            "images": images,
            # a whole chunk, where there are fewer images than in one
            "split_size": min(evaluation.split_size, images),
        },
    )
    extractor: Any = settings.extractor
    words = (f"{run.data.name} {extractor.name}", f": {images:,} real images for {name}")
    key = plan.add("floor", text, {"reference": reference}, words, None, None, index, name)
    plan.floors.setdefault(key, {})[name] = None


def _add_ceiling(
    plan: Plan, index: int, run: Run, name: str, evaluation: EvaluationSettings, reference: str
) -> None:
    """What decoded noise scores against the reference, measured as this evaluation measures."""
    plan.once(
        ("ceiling", evaluation, run.autoencoder, reference),
        lambda: _plan_ceiling(plan, index, run, name, evaluation, reference),
    )


def _plan_ceiling(
    plan: Plan, index: int, run: Run, name: str, evaluation: EvaluationSettings, reference: str
) -> None:
    assert plan.study.settings.reference is not None
    text = plan.text(
        "ceiling",
        evaluation,
        run.autoencoder,
        make=lambda: {
            **_measured(evaluation, run.codec),
            "images": evaluation.samples,
            "seed": evaluation.seed,
            "autoencoder": run.codec.content(),
            "autoencoder_sha256": run.autoencoder.sha256,
            "decoder": evaluation.decoder or run.autoencoder.decoder,
        },
    )
    extractor: Any = plan.study.settings.reference.extractor
    words = (
        f"{run.data.name} {extractor.name}",
        f": {evaluation.samples:,} images of decoded noise for {name}",
    )
    key = plan.add("ceiling", text, {"reference": reference}, words, None, None, index, name)
    plan.floors.setdefault(key, {})[name] = None


def _reference(plan: Plan, run: Run) -> dict[str, Any]:
    reference = plan.study.settings.reference
    assert reference is not None
    extractor: Any = reference.extractor
    source: Any = run.data.source
    whole_set = reference.images is None and reference.statistics_sha256 is None
    # Written since two references had one key; where they are not, the older keys stand.
    later: dict[str, Any] = {}
    if reference.statistics is not None:
        name = Path(reference.statistics).name
        if reference.statistics_sha256 is None and name not in ADM_STATISTICS:
            later["statistics"] = name
    elif whole_set and not source.made:
        later["from_images"] = True
    if extractor.own_weights and reference.extractor_sha256 is None:
        later["extractor_weights"] = Path(reference.extractor_weights or "").name
    content = {**keys.content(reference), "extractor": extractor.content()}
    images = _images(run.data, train=whole_set)
    if isinstance(run.data.held_out, str):  # in training it changes nothing
        images["held_out"] = Path(run.data.held_out).name
    if reference.held_out:  # said here, so that keys of before stand
        images["reference_held_out"] = True
    return with_versions({**later, "data": images, **content}, source, extractor)


def _steps(evaluations: Iterable[EvaluationSettings], run: Run) -> Iterator[int]:
    for evaluation in evaluations:
        yield from _at(evaluation, run)


def _at(evaluation: EvaluationSettings, run: Run) -> tuple[int, ...]:
    assert run.train is not None
    if evaluation.at == "end":
        return (run.train.steps,)
    if evaluation.at == "milestones":
        return run.train.milestones
    return evaluation.at  # type: ignore[return-value]


def _add_evaluation(
    plan: Plan,
    index: int,
    run: Run,
    label: str,
    name: str,
    evaluation: EvaluationSettings,
    checkpoints: dict[int, str],
    reference: str,
    gflops: float | None,
) -> None:
    text, evaluate_key, variants = plan.once(
        (
            "variants",
            evaluation,
            run.model,
            run.data,
            run.autoencoder,
            run.codec,
            run.objective,
            None if evaluation.ema is None else run.train,
        ),
        lambda: _variants(evaluation, run, gflops),
    )
    for step in _at(evaluation, run) if run.model.checkpoint is None else checkpoints:
        checkpoint, at = checkpoints[step], f" at {step:,}: "
        for v in variants:
            words, inputs = (label, at, v.words), {"checkpoint": checkpoint}
            if evaluation.keep_images == "none":  # features are extracted as samples are decoded
                inputs["reference"] = reference
            sample = plan.add(
                "sample", v.text, inputs, words, v.price, None, index, name, v.key(*inputs.values())
            )
            inputs = {"reference": reference, "samples": sample}
            key = evaluate_key(reference, sample)
            plan.add("evaluate", text, inputs, words, None, None, index, name, key)
            plan.measurements.append(
                Measurement(index, name, step, v.steps, v.scale, checkpoint, sample, key)
            )


def _measured(evaluation: EvaluationSettings, *others: Component) -> dict[str, Any]:
    """How an evaluation measures, as keys say it; others: components that it also takes."""
    metrics: Any = evaluation.metrics
    return with_versions(
        {
            "metrics": [metric.content() for metric in metrics],
            "k": evaluation.k,
            "split_size": evaluation.split_size,
            "subsets": evaluation.subsets,
        },
        *metrics,
        *others,
    )


class _Variant(NamedTuple):
    """One way of sampling that an evaluation asks for."""

    steps: int
    scale: float
    text: str  # canonical settings of the sample stage
    key: keys.KeyMaker
    words: str
    price: float | None


def _variants(
    evaluation: EvaluationSettings, run: Run, gflops: float | None
) -> tuple[str, keys.KeyMaker, list[_Variant]]:
    """What is the same for every checkpoint: the evaluate settings, and the ways to sample."""
    text = keys.canonical(_measured(evaluation))
    sampler = sampler_of(evaluation, run.objective)
    variants = []
    for n in _each(evaluation.sampling_steps):
        for guidance in _each(evaluation.guidance):
            drawn = keys.canonical(_sample(evaluation, sampler, n, guidance, run))
            words = f"{evaluation.samples:,} samples, {n} steps"
            if guidance.scale != 1.0:
                words += f", guidance {guidance.scale:g}"
                if guidance.channels != 3:
                    words += f" on {guidance.channels or 'all'} channels"
                if guidance.interval is not None:
                    words += " at timesteps {} to {}".format(*guidance.interval)
            if evaluation.ema is not None:
                words += f", EMA {evaluation.ema:g}"
            if evaluation.ema_length is not None:
                words += f", EMA of length {evaluation.ema_length:g}"
            if evaluation.decoder is not None:
                words += f", decoder {evaluation.decoder}"
            extracts = evaluation.keep_images == "none"
            roles = ("checkpoint", "reference") if extracts else ("checkpoint",)
            maker = keys.KeyMaker("sample", drawn, roles)
            price = (
                None
                if gflops is None
                else evaluation.samples
                * cost.sampling_gflops(
                    gflops,
                    sampler.evaluations(run.objective, n),
                    guidance.scale,
                    cost.guided(sampler, run.objective, n, guidance.interval),
                )
            )
            variants.append(_Variant(n, guidance.scale, drawn, maker, words, price))
    return text, keys.KeyMaker("evaluate", text, ("reference", "samples")), variants


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _sample(
    evaluation: EvaluationSettings, sampler: Any, n: int, guidance: GuidanceSettings, run: Run
) -> dict[str, Any]:
    guided = guidance.scale != 1.0
    # Settings that came after the first results were recorded: written where they change what is
    # drawn, so that the older keys stand.
    later: dict[str, Any] = {}
    if guided and guidance.interval is not None:
        later["guidance_interval"] = guidance.interval
    if evaluation.ema is not None and run.train is not None and evaluation.ema != run.train.emas[0]:
        later["ema"] = evaluation.ema
    if evaluation.ema_length is not None:
        later["ema_length"] = evaluation.ema_length
    return with_versions(
        {
            **later,
            **sampler.key_fields("sampler"),
            "sampling_steps": n,
            "guidance_scale": guidance.scale,
            "guidance_channels": guidance.channels if guided else None,
            "samples": evaluation.samples,
            "seed": evaluation.seed,
            "autoencoder": run.codec.content(),
            "autoencoder_sha256": run.autoencoder.sha256,
            "decoder": evaluation.decoder or run.autoencoder.decoder,
            "precision": evaluation.precision,
            "tf32": evaluation.tf32,
            "images": evaluation.keep_images,
        },
        sampler,
        run.codec,
    )


__all__ = ["Imported", "Input", "make_plan", "with_versions"]

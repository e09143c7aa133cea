"""The measurements of a run: its reference, the floors, and the ways to draw samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.plan import content, cost, keys
from harness.plan.plan import Measurement, Plan, Stage
from harness.spec.checks import sampler_of
from harness.spec.schema import EvaluationSettings, ReferenceSettings
from harness.spec.study import Run


class Variant(NamedTuple):
    """One way of sampling that an evaluation asks for."""

    steps: int
    scale: float
    text: str  # canonical settings of the sample stage
    key: keys.KeyMaker
    words: str
    price: float | None


@dataclass(frozen=True, slots=True)
class Against:
    """The reference of an evaluation: the study's, or its own."""

    settings: ReferenceSettings
    text: str  # canonical settings of its stage
    key: str
    words: str
    owner: str | None  # the evaluation whose own it is; None: the study's


@dataclass(frozen=True, slots=True)
class Asked:
    """One evaluation of all runs that share their sections."""

    name: str
    evaluation: EvaluationSettings
    reference: Against
    text: str  # canonical settings of the evaluate stage
    key: keys.KeyMaker
    variants: tuple[Variant, ...]
    steps: tuple[int, ...] | None  # of training; None: whatever an imported checkpoint has
    ceiling: str  # canonical settings of the stage that measures decoded noise
    reconstruction: tuple[str, str, str] | None  # of a floor through the autoencoder, with words
    subset: keys.KeyMaker | None  # of as many samples as the floor has images; None: it has enough
    subset_text: str  # canonical settings of that stage; "": there is none
    extracts: bool  # features are extracted as samples are decoded
    proportions: bool  # classes are drawn as the training images have them


@dataclass(frozen=True, slots=True)
class Measuring:
    """All evaluations of such runs, and the references that they are against, each once."""

    references: tuple[Against, ...]
    asked: tuple[Asked, ...]


def measuring(plan: Plan, run: Run, gflops: float | None) -> Measuring | None:
    """The measurements of a run, and of those that share its sections; None: there are none."""
    reference, evaluations = plan.study.settings.reference, plan.study.evaluations
    if reference is None or not evaluations:
        return None
    ours = _against(reference, run, None)
    asked = []
    for name, each in evaluations.items():
        own = ours if each.reference is None else _against(each.reference, run, name)
        asked.append(_asked(name, each, own, run, gflops))
    found = {each.key: each for each in [*(one.reference for one in asked), ours]}
    found = {ours.key: ours, **found}
    return Measuring(tuple(found.values()), tuple(asked))


def _against(reference: ReferenceSettings, run: Run, owner: str | None) -> Against:
    extractor: Any = reference.extractor
    text = keys.canonical(content.reference(reference, run))
    words = f"{run.data.name} {extractor.name}"
    return Against(reference, text, keys.stage_key("reference", text, {}), words, owner)


def at(evaluation: EvaluationSettings, run: Run) -> tuple[int, ...]:
    """The training steps of the checkpoints that an evaluation measures."""
    assert run.train is not None
    return evaluation.steps_of(run.train)


def _asked(
    name: str, evaluation: EvaluationSettings, reference: Against, run: Run, gflops: float | None
) -> Asked:
    text = keys.canonical(content.measured(evaluation))
    images, subset = content.floor_images(evaluation, reference.settings), ""
    if 2 <= images < evaluation.samples:
        subset = keys.canonical(content.subset(evaluation, images))
    return Asked(
        name,
        evaluation,
        reference,
        text,
        keys.KeyMaker("evaluate", text, ("reference", "samples")),
        tuple(_variants(evaluation, run, gflops)),
        None if run.model.checkpoint is not None else at(evaluation, run),
        keys.canonical(content.ceiling(evaluation, run)),
        _reconstruction(name, evaluation, run),
        keys.KeyMaker("subset", subset, ("reference", "samples")) if subset else None,
        subset,
        evaluation.keep_images == "none",
        evaluation.labels == "data",
    )


def _reconstruction(
    name: str, evaluation: EvaluationSettings, run: Run
) -> tuple[str, str, str] | None:
    """Canonical settings, and the words of the label. None of an exact autoencoder: the images
    themselves would come back."""
    images = 0 if run.codec.exact else run.autoencoder.reconstructions
    if images < 2:
        return None
    text = keys.canonical(content.reconstruction(evaluation, images, run))
    words = f"{run.data.name} through {run.codec.name}", f": {images:,} real images for {name}"
    return text, *words


def _variants(evaluation: EvaluationSettings, run: Run, gflops: float | None) -> Iterable[Variant]:
    sampler = sampler_of(evaluation, run.objective)
    roles: tuple[str, ...] = ("checkpoint",)
    roles += ("data",) if evaluation.labels == "data" else ()
    roles += ("reference",) if evaluation.keep_images == "none" else ()
    for n in _each(evaluation.sampling_steps):
        for guidance in _each(evaluation.guidance):
            text = keys.canonical(content.sample(evaluation, sampler, n, guidance, run))
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
            maker = keys.KeyMaker("sample", text, roles)
            words = _words(evaluation, n, guidance)
            yield Variant(n, guidance.scale, text, maker, words, price)


def _words(evaluation: EvaluationSettings, steps: int, guidance: Any) -> str:
    words = f"{evaluation.samples:,} samples, {steps} steps"
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
    if evaluation.labels != "uniform":
        words += ", labels as in the data"
    if evaluation.decoder is not None:
        words += f", decoder {evaluation.decoder}"
    return words


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


# --- stages ---------------------------------------------------------------------------------------


def add(
    plan: Plan,
    index: int,
    label: str,
    checkpoints: Mapping[int, str],
    wanted: Measuring,
    first: bool = True,
    data: str | None = None,
) -> None:
    """The stages that measure one run's checkpoints, given by step.

    first: of the runs that share `wanted`, whose reference and floors are planned once. data: the
    key of the training images' encode stage.
    """
    stages = plan.stages
    if first:
        for each in wanted.references:
            plan.add(
                "reference",
                each.text,
                {},
                (each.words,),
                run=index,
                evaluation=each.owner,
                key=each.key,
            )
    for asked in wanted.asked:
        if first:
            _add_floor(plan, index, asked)
            _add_ceiling(plan, index, asked)
        name, reference = asked.name, asked.reference.key
        steps = tuple(checkpoints) if asked.steps is None else asked.steps
        for step in steps:
            checkpoint, step_words = checkpoints[step], f" at {step:,}: "
            for v in asked.variants:
                # Written out: of 10,000 runs this is done hundreds of thousands of times.
                words, inputs = (label, step_words, v.words), {"checkpoint": checkpoint}
                if asked.proportions:
                    assert data is not None  # an imported checkpoint's are refused
                    inputs["data"] = data
                if asked.extracts:
                    inputs["reference"] = reference
                sample = v.key(*inputs.values())
                if sample not in stages:
                    stages[sample] = Stage(
                        "sample", sample, v.text, inputs, {}, words, v.price, index, name
                    )
                key = asked.key(reference, sample)
                if key not in stages:
                    inputs = {"reference": reference, "samples": sample}
                    stages[key] = Stage(
                        "evaluate", key, asked.text, inputs, {}, words, None, index, name
                    )
                plan.measurements.append(
                    Measurement(index, name, step, v.steps, v.scale, checkpoint, sample, key)
                )
                if asked.subset is not None and step == max(steps):
                    _add_subset(plan, asked, key, stages[key])


def _add_subset(plan: Plan, asked: Asked, whole: str, evaluate: Stage) -> None:
    """The first of the samples that an evaluation measures: as many as the floor has images."""
    assert asked.subset is not None
    inputs = evaluate.inputs
    key = asked.subset(inputs["reference"], inputs["samples"])
    words = (*evaluate.words, ", as many as the floor has")
    plan.add(
        *("subset", asked.subset_text, dict(inputs), words),
        run=evaluate.run,
        evaluation=asked.name,
        key=key,
    )
    plan.subsets[key] = whole


def _add_floor(plan: Plan, index: int, asked: Asked) -> None:
    """The floor: real images against the reference, measured as this evaluation measures."""
    wanted = asked.reference
    images = content.floor_images(asked.evaluation, wanted.settings)
    if asked.reconstruction is not None:
        text, *words = asked.reconstruction
        inputs = {"reference": wanted.key}
        key = plan.add("floor", text, inputs, tuple(words), None, None, index, asked.name)
        plan.floors.setdefault(key, {})[asked.name] = None
    if images < 2:
        return
    text = keys.canonical(content.floor(asked.evaluation, images))
    label = (wanted.words, f": {images:,} real images for {asked.name}")
    inputs = {"reference": wanted.key}
    key = plan.add("floor", text, inputs, label, None, None, index, asked.name)
    plan.floors.setdefault(key, {})[asked.name] = None


def _add_ceiling(plan: Plan, index: int, asked: Asked) -> None:
    """The ceiling: decoded noise against the reference, measured as this evaluation measures."""
    wanted = asked.reference
    number = asked.evaluation.samples
    words = (wanted.words, f": {number:,} images of decoded noise for {asked.name}")
    inputs = {"reference": wanted.key}
    key = plan.add("ceiling", asked.ceiling, inputs, words, None, None, index, asked.name)
    plan.floors.setdefault(key, {})[asked.name] = None

"""Checks that no single section of a study can make: whether its sections go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import paper
from harness.errors import BadInput
from harness.models import zoo
from harness.nearest import did_you_mean
from harness.spec import fitting, held_out, measuring, own_data
from harness.spec.schema import (
    EvaluationSettings,
    GuidanceSettings,
    ReferenceSettings,
    StudySettings,
)
from harness.spec.source import Path_, Source

if TYPE_CHECKING:
    from harness.components import Extractor, Sampler
    from harness.spec.run import Run

Problem = tuple[Path_, str]  # the field it is about, and the sentence


def cross_checks(settings: StudySettings, runs: Sequence[Run], where: Source) -> list[str]:
    """Every problem, as "FILE:LINE: sentence"."""
    found = [
        *_data(settings, runs),
        *fitting.inputs(runs),
        *fitting.training(runs),
        *_baselines(settings),
        *_reference(settings, runs),
        *_evaluations(settings, runs),
        *_claims(settings, runs),
        *_grids(settings, runs),
        *measuring.problems(settings),
    ]
    return [f"{where.place(path)}: {sentence}" for path, sentence in found]


def _data(settings: StudySettings, runs: Sequence[Run]) -> Iterator[Problem]:
    """A source that goes with what is said of its data."""
    for data in {id(r.data): r.data for r in runs}.values():
        source: Any = data.source
        if (lines := own_data.unsaid(data)) is not None:
            yield ("data",), lines
            continue
        try:
            source.check(data)
        except BadInput as error:
            yield ("data",), str(error)
            continue
        try:
            held_out.check(settings, data)
        except BadInput as error:
            yield ("data", "held_out"), str(error)
        if source.labelled == (data.num_classes == 0):
            yield ("data", "num_classes"), own_data.of_classes(source, data)


def _baselines(settings: StudySettings) -> Iterator[Problem]:
    for i, name in enumerate(settings.baselines):
        if name not in zoo.UNETS:
            yield (
                ("baselines", i),
                f"unknown baseline {name!r}{did_you_mean(name, zoo.UNETS)}; the paper's U-Nets are "
                f"{', '.join(zoo.UNETS)}",
            )


def _reference(settings: StudySettings, runs: Sequence[Run]) -> Iterator[Problem]:
    """An extractor that fits the data, and enough images for a distance."""
    for field, reference in settings.references.items():
        yield from _reference_of(field, reference, runs)


def _reference_of(
    name: str, reference: ReferenceSettings, runs: Sequence[Run]
) -> Iterator[Problem]:
    from harness.metrics.division import divided_by_plan

    at = tuple(name.split("."))
    extractor: Any = reference.extractor
    for data in {id(r.data): r.data for r in runs}.values():
        try:
            extractor.check(data)
            divided_by_plan(reference, extractor, data)
        except BadInput as error:
            yield (*at, "extractor"), f"{name}.extractor: {error}"
    if reference.floor_images == 1:
        yield (
            (*at, "floor_images"),
            f"{name}.floor_images is 1: a covariance needs at least 2 images; 0 for no floor",
        )
    for field, what in (("images", "a covariance needs"), ("recall_images", "neighbours need")):
        value = getattr(reference, field)
        if value is not None and value < 2:
            yield (
                (*at, field),
                f"{name}.{field} is {value}: {what} at least 2 images",
            )


def _claims(settings: StudySettings, runs: Sequence[Run]) -> Iterator[Problem]:
    """Claims that exist, of models that the study has."""
    try:
        paper.chosen_ids(settings.claims.paper)
    except BadInput as error:
        yield ("claims", "paper"), str(error)
    models = _models(runs)
    for i, pair in enumerate(settings.claims.sampling_pairs):
        for name in pair:
            if name not in models:
                yield (
                    ("claims", "sampling_pairs", i),
                    f"claims.sampling_pairs: no model {name!r} here{did_you_mean(name, models)}",
                )


def _models(runs: Sequence[Run]) -> list[str]:
    """What a study may call its models: by their labels, or by those of its runs."""
    return list(dict.fromkeys([r.model.label for r in runs] + [r.label for r in runs]))


def _grids(settings: StudySettings, runs: Sequence[Run]) -> Iterator[Problem]:
    """Grids of classes, models and evaluations that the study has."""
    classes = max((r.data.num_classes for r in runs), default=0)
    known = {"model": _models(runs), "evaluation": list(settings.evaluations)}
    for i, grid in enumerate(settings.report.grids):
        if runs and grid.label >= classes:
            yield (
                ("report", "grids", i, "label"),
                f"report.grids: no class {grid.label} here: "
                + (f"they are 0 to {classes - 1}" if classes else "the data have no classes"),
            )
        for field, names in known.items():
            name = getattr(grid, field)
            if name is not None and name not in names:
                yield (
                    ("report", "grids", i, field),
                    f"report.grids: no {field} {name!r} here{did_you_mean(name, names)}",
                )


def _evaluations(settings: StudySettings, runs: Sequence[Run]) -> Iterator[Problem]:
    evaluations = {n: e for n, e in settings.evaluations.items() if e is not None}
    if evaluations and settings.train is None and any(not r.model.checkpoint for r in runs):
        yield (
            ("evaluations",),
            "evaluations need a train section: there are no checkpoints to sample from",
        )
    if evaluations and settings.reference is None:
        yield ("evaluations",), "evaluations need a reference section"
    yield from _unguided(evaluations, runs)
    for name, evaluation in evaluations.items():
        for field, sentence in _evaluation(evaluation, settings, runs):
            path = ("evaluations", name, *field.split("."))
            yield path, f"evaluations.{name}.{field} {sentence}"


def _evaluation(
    evaluation: EvaluationSettings, settings: StudySettings, runs: Sequence[Run]
) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it)."""
    for objective in {id(r.objective): r.objective for r in runs}.values():
        sampler = sampler_of(evaluation, objective)
        yield from _sampler(evaluation, sampler, objective)
    for codec in {r.codec.name: r.codec for r in runs}.values():
        if evaluation.decoder not in (None, *codec.decoders):
            yield "decoder", fitting.no_decoder(evaluation.decoder, codec)
    guidance = evaluation.guidance
    for g in guidance if isinstance(guidance, tuple) else (guidance,):
        yield from _guidance(g, runs)
    yield from _metrics(evaluation, settings)
    yield from _averages(evaluation, runs)
    last = min((r.train.steps for r in runs if r.train), default=None)
    if isinstance(evaluation.at, tuple) and last is not None and max(evaluation.at) > last:
        yield "at", f"{max(evaluation.at)} lies beyond train.steps {last}"
    if evaluation.at != "end" and any(r.model.checkpoint for r in runs):
        yield "at", "must be end: an imported checkpoint has no other steps"
    if evaluation.labels == "data" and any(r.model.checkpoint for r in runs):
        yield "labels", "is data, but an imported checkpoint's training images are not here"
    if evaluation.labels == "data" and any(r.data.num_classes == 0 for r in runs):
        yield "labels", "is data, but the images have no labels (data.num_classes 0): leave it out"
    if evaluation.at == "milestones" and any(r.train and not r.train.milestones for r in runs):
        yield "at", "is milestones, but train.milestones is empty"


def _averages(evaluation: EvaluationSettings, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """An average of the weights that every run keeps, or that can be made of what it keeps."""
    ema, length = evaluation.ema, evaluation.ema_length
    if ema is None and length is None:
        return
    field = "ema" if length is None else "ema_length"
    if any(run.model.checkpoint for run in runs):
        yield field, "is given, but an imported checkpoint has one average: leave it out"
    said: set[str] = set()
    trained = [r.train for r in runs if r.train is not None and not r.model.checkpoint]
    for train in {id(each): each for each in trained}.values():
        steps = evaluation.steps_of(train)
        try:
            if ema is not None and ema not in train.emas:
                raise BadInput(
                    f"is {ema:g}, and train.ema keeps {', '.join(f'{e:g}' for e in train.emas)}: "
                    "name one of them, or add it to the list"
                )
            if length is None:
                continue
            if train.ema_snapshots is None:
                raise BadInput(
                    f"is {length:g}, which is made of snapshots, and train.ema_snapshots keeps "
                    f"none: give it, as {{every: {max(train.steps // 16, 1)}}}, and train with it"
                )
            from harness.models.ema import check_post_hoc  # which imports numpy

            kept = train.ema_snapshots
            for step in steps:
                if step <= train.steps:
                    check_post_hoc(kept.every, kept.lengths, step, length)
        except BadInput as error:
            said.add(str(error))
    yield from ((field, sentence) for sentence in sorted(said))


def sampler_of(evaluation: EvaluationSettings, objective: Any) -> Sampler:
    """The evaluation's sampler; the objective's own where it names none."""
    from harness.components import registry

    named: Any = evaluation.sampler
    if named is not None:
        return named  # type: ignore[no-any-return]
    cls = registry.get("sampler", objective.default_sampler)
    return cls.model_validate(cls.complete({}, evaluation))  # type: ignore[return-value]


def _sampler(
    evaluation: EvaluationSettings, sampler: Sampler, objective: Any
) -> Iterator[tuple[str, str]]:
    if objective.name not in sampler.serves:
        from harness.components import registry

        fitting = [
            entry.name
            for entry in registry.entries("sampler")
            if objective.name in entry.load().serves  # type: ignore[attr-defined]
        ]
        yield (
            "sampler",
            f"is {sampler.name!r}, which serves the objectives {', '.join(sampler.serves)}, and "
            f"this one is {objective.name!r}; its samplers are: {', '.join(fitting)}",
        )
        return
    steps = evaluation.sampling_steps
    for n in steps if isinstance(steps, tuple) else (steps,):
        try:
            sampler.check(objective, n)
        except BadInput as error:
            yield "sampling_steps", str(error)
    own = type(sampler).model_fields
    if evaluation.eta and "eta" not in own:
        yield (
            "eta",
            f"is DDIM's, the sampler is {sampler.name}: leave eta out, or set sampler: ddim",
        )
    if evaluation.clip and "clip" not in own:
        yield "clip", f"is not a setting of the sampler {sampler.name}: leave it out"


def _metrics(evaluation: EvaluationSettings, settings: StudySettings) -> Iterator[tuple[str, str]]:
    """Metrics that this many samples, and these features, can have."""
    from harness.metrics.shared import Shared

    reference = evaluation.reference or settings.reference
    if reference is None:
        return
    extractor: Extractor = reference.extractor  # type: ignore[assignment]
    metrics: Any = evaluation.metrics
    shared = Shared(metrics, evaluation.k, evaluation.split_size, subsets=evaluation.subsets)
    seen: set[str] = set()
    for metric in metrics:
        if metric.name in seen:
            yield "metrics", f"names {metric.name} twice"
        seen.add(metric.name)
        try:
            metric.check(evaluation.samples, extractor.gives, extractor.dimensions, shared)
        except BadInput as error:
            yield "metrics", f"cannot be had: {error}"
    if any(m.balls(evaluation.k) for m in metrics):
        images = min(reference.recall_images, reference.images or reference.recall_images)
        largest = max(k for m in metrics for k in m.balls(evaluation.k).values())
        if images <= largest:
            yield (
                "k",
                f"asks for {largest} neighbours among {images} reference image"
                f"{'' if images == 1 else 's'} "
                "(reference.images, reference.recall_images): give more images, or a smaller k",
            )


def _unguided(
    evaluations: Mapping[str, EvaluationSettings], runs: Sequence[Run]
) -> Iterator[Problem]:
    """Guidance of models that cannot have it: one sentence for all evaluations and scales."""
    guided: dict[str, list[str]] = {}
    for name, evaluation in evaluations.items():
        given = evaluation.guidance
        for one in given if isinstance(given, tuple) else (given,):
            if one.scale != 1.0:
                guided.setdefault(name, []).append(f"{one.scale:g}")
    if not guided:
        return
    if any(r.data.num_classes == 0 for r in runs):
        why = (
            "the data have no classes (data.num_classes: 0): there is nothing to guide towards; "
            "leave guidance out"
        )
    elif any(r.train and r.train.label_dropout == 0 and not r.model.checkpoint for r in runs):
        why = (
            "train.label_dropout is 0: the null label that guidance needs would never have been "
            "trained; give a share of labels, as 0.1, or leave guidance out"
        )
    else:
        return
    of = "; ".join(f"evaluations.{name} at {', '.join(s)}" for name, s in guided.items())
    yield (
        ("evaluations", next(iter(guided)), "guidance", "scale"),
        f"guidance.scale is other than 1 ({of}), but {why}",
    )


def _guidance(guidance: GuidanceSettings, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    for objective in {id(r.objective): r.objective for r in runs}.values():
        low, high = objective.time_range
        given = guidance.interval
        if given is not None and (given[0] < low or given[1] > high):
            unit = "timestep" if isinstance(high, int) else "time"
            yield (
                "guidance.interval",
                f"{list(given)} lies beyond the last {unit}, {high:g} (objective "
                f"{objective.name}: {low:g} to {high:g})",
            )
    if guidance.scale == 1.0 or any(r.data.num_classes == 0 for r in runs):
        return
    for run in runs:
        channels = run.given().channels
        if guidance.channels is not None and guidance.channels > channels:
            said = "channels" in guidance.model_fields_set
            yield (
                "guidance.channels",
                f"is {guidance.channels}{'' if said else ' where it is not given'}, the model has "
                f"{channels}{'' if said else ': write guidance.channels'} (null: all of them)",
            )
            return

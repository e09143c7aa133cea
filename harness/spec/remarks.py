"""Notes on what a study may do and its reader should know; harness.spec.checks has the errors."""

from __future__ import annotations

import math
from typing import Any

from harness.spec import too_large
from harness.spec.study import Study

UNTRAINED = 0.01  # share of untrained weights in an average, above which it is said

NAMED = 6  # models in a note
CARRIED = ("noise", "velocity")  # predictions with the noise of the input in them

# What changes no sample of an evaluation that keeps no images.
NOT_DRAWN = {
    "at",
    "metrics",
    "k",
    "split_size",
    "reference",
    "floor_images",
    "subsets",
    "batch_size",
}


def remarks(study: Study) -> list[str]:
    """Sentences about the values that the study will have, each once, naming its evaluation.

    So far: a Fréchet distance of fewer images than it has dimensions, samples that are drawn once
    more for each reference, and copies that are not looked for among mirror images.
    """
    found: dict[str, dict[str, None]] = {}
    for data in {id(r.data): r.data for r in study.runs}.values():
        for name, evaluation in study.evaluations.items():
            reference = study.reference_of(name)
            if reference is None:
                continue
            extractor: Any = reference.extractor
            images = reference.images
            if images is None and reference.statistics is None:
                images = data.train_images
            for metric in evaluation.metrics:
                one: Any = metric
                said = one.remark(
                    one.recorded(extractor.name),
                    evaluation.samples,
                    images,
                    extractor,
                    data.image_size,
                )
                if said is not None:
                    found.setdefault(said, {})[f"evaluations.{name}"] = None
    return [
        *(f"{said} ({', '.join(names)})" for said, names in found.items()),
        *_drawn_again(study),
        *_mirrored_unseen(study),
        *too_large.notes(study),
    ]


def _drawn_again(study: Study) -> list[str]:
    """Evaluations that share no samples, as they keep no images and differ in their reference."""
    drawn: dict[str, list[str]] = {}
    for name, evaluation in study.evaluations.items():
        if evaluation.keep_images == "none":
            alike = evaluation.model_dump_json(exclude=NOT_DRAWN)
            drawn.setdefault(alike, []).append(name)
    return [
        f"{' and '.join(names)} draw the same samples once for each reference, as keep_images is "
        "none; with keep_images: npz they are drawn once"
        for names in drawn.values()
        if any(study.reference_of(name) != study.reference_of(names[0]) for name in names)
    ]


def _mirrored_unseen(study: Study) -> list[str]:
    """Metrics of copying that look at images as they lie, of data that training also mirrors."""
    if not any(run.data.flip for run in study.runs):
        return []
    found: dict[tuple[str, bool], dict[str, None]] = {}
    for name, evaluation in study.evaluations.items():
        for metric in evaluation.metrics:
            one: Any = metric
            if one.copying and not one.looks_mirrored:
                can = "mirrored" in type(one).model_fields
                found.setdefault((one.name, can), {})[f"evaluations.{name}"] = None
    return [
        "data.flip trains on mirror images, and "
        + (
            f"copies of them are not looked for: write {{name: {metric}, mirrored: true}}"
            if can
            else f"{metric} does not look for copies of them"
        )
        + f" ({', '.join(names)})"
        for (metric, can), names in found.items()
    ]


def too_narrow(study: Study) -> list[str]:
    """Models of fewer channels than a patch has numbers, that are to predict noise or a velocity.

    For the report's reader: a study that shows just this is no mistake.

    A clean patch is far from arbitrary, and fewer channels can carry it. Noise is not: a linear
    layer returns as many independent numbers as it has channels. Of the default study's twelve
    models, trained by DDPM, five drew noise.
    """
    seen: set[tuple[object, ...]] = set()
    found: dict[str, dict[str, None]] = {}  # what is predicted -> models
    for run in study.runs:
        predicted = run.objective.predicts
        facts = run.model.facts
        width, patch = facts.get("width"), facts.get("patch_size")
        if run.train is None or predicted not in CARRIED or not width or not patch:
            continue
        one = (run.model.label, id(run.data), id(run.codec), id(run.objective))
        if one in seen:
            continue
        seen.add(one)
        numbers = patch**2 * run.given().channels
        if width < numbers:
            said = f"{run.model.label} ({width} channels, {numbers} numbers)"
            found.setdefault(predicted, {})[said] = None
    return [
        f"fewer channels than a patch has numbers cannot carry the {predicted} in it, and such "
        f"models may draw noise: {', '.join([*names][:NAMED])}"
        + (f", and {len(names) - NAMED} more" if len(names) > NAMED else "")
        for predicted, names in found.items()
    ]


def young_averages(study: Study) -> list[str]:
    """Averages of the weights that still hold untrained ones at a step where they are sampled.

    An exponential average begins at the untrained weights, of which decay^step is left. A few
    per cent of them made the distance of a DDPM trained for 600 steps three times as large.
    """
    found: dict[float, tuple[int, dict[str, None]]] = {}  # decay -> the earliest step, evaluations
    trained = {id(run.train): run.train for run in study.runs if not run.model.checkpoint}
    for train in trained.values():  # ten thousand runs share a few
        if train is None:
            continue
        for name, evaluation in study.evaluations.items():
            if evaluation.ema_length is not None:
                continue  # its first update takes the weights
            decay = train.emas[0] if evaluation.ema is None else evaluation.ema
            steps = evaluation.steps_of(train)
            young = [step for step in steps if decay**step > UNTRAINED]
            if young:
                first, names = found.get(decay, (min(young), {}))
                found[decay] = min(first, *young), {**names, f"evaluations.{name}": None}
    return [
        f"at step {step:,} the average of train.ema {decay:g} still holds {decay**step:.0%} of the "
        f"untrained weights ({', '.join(names)}): a decay of {_grown(step):g} or less, or "
        "train.ema_snapshots with ema_length, leaves them behind"
        for decay, (step, names) in found.items()
    ]


def _grown(step: int) -> float:
    """A round decay of which less than `UNTRAINED` is left after `step` steps."""
    parts = int(10 ** max(len(str(step)) - 1, 1))
    return math.floor(math.exp(math.log(UNTRAINED) / step) * parts) / parts

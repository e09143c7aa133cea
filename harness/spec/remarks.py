"""Notes on what a study may do and its reader should know; harness.spec.checks has the errors."""

from __future__ import annotations

from typing import Any

from harness.spec.study import Study

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

    So far: a Fréchet distance of fewer images than it has dimensions, and samples that are drawn
    once more for each reference.
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

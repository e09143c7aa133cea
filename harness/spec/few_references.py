"""Metrics that a study has too few real images for, known before anything is computed.

This is not an error of the study's text: a study that was run with it stays readable, and its other
metrics are valid. Nothing new is begun for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.spec.schema import ReferenceSettings
    from harness.spec.study import Study


def too_few(study: Study) -> dict[str, list[str]]:
    """Per evaluation: the metrics that so few real images cannot give, and how many would do."""
    from harness.metrics.shared import Shared

    found: dict[str, list[str]] = {}
    for name, evaluation in study.evaluations.items():
        reference = study.reference_of(name)
        if reference is None:
            continue
        metrics: Any = evaluation.metrics
        shared = Shared(metrics, evaluation.k, evaluation.split_size, subsets=evaluation.subsets)
        compared, trained = _reference_images(study, reference), _training_images(study)
        for metric in metrics:
            images = trained if metric.copying else compared
            if images is None:  # nobody says how many
                continue
            try:
                metric.check_reference(images, shared)
            except BadInput as error:
                said = f"{study.path}: evaluations.{name}.metrics cannot be had: {error}"
                found.setdefault(name, []).append(said)
    return found


def _reference_images(study: Study, reference: ReferenceSettings) -> int | None:
    """How many a reference is made of at most. None: statistics do not say."""
    if reference.statistics is not None:
        return None
    whole = reference.images is None and not reference.held_out
    sizes = {r.data.train_images for r in study.runs} if whole else set()
    return min(n for n in (reference.recall_images, reference.images, *sizes) if n)


def _training_images(study: Study) -> int | None:
    """How many the runs are trained on at least. None: not known before they are read."""
    from harness.data.held_out import count_of

    found = []
    for data in {id(r.data): r.data for r in study.runs}.values():
        if data.train_images is not None:
            share = data.held_out if isinstance(data.held_out, float) else None
            held = 0 if share is None else count_of(data.train_images, share)
            found.append(data.train_images - held)
    return min(found, default=None)

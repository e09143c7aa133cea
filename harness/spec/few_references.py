"""Metrics that a study's reference has too few images for, known before anything is computed.

Not an error of the study's text: a study that was run so stays readable, and its other metrics are
numbers. Nothing new is begun for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.spec.study import Study


def too_few(study: Study) -> dict[str, list[str]]:
    """Per evaluation, what cannot be had of so few reference images, and what would do."""
    from harness.metrics.shared import Shared

    found: dict[str, list[str]] = {}
    for name, evaluation in study.evaluations.items():
        reference = study.reference_of(name)
        if reference is None or reference.statistics is not None:  # which do not say how many
            continue
        whole = reference.images is None and not reference.held_out
        sizes = {r.data.train_images for r in study.runs} if whole else set()
        least = min(n for n in (reference.recall_images, reference.images, *sizes) if n)
        metrics: Any = evaluation.metrics
        shared = Shared(metrics, evaluation.k, evaluation.split_size, subsets=evaluation.subsets)
        for metric in metrics:
            try:
                metric.check_reference(least, shared)
            except BadInput as error:
                said = f"{study.path}: evaluations.{name}.metrics cannot be had: {error}"
                found.setdefault(name, []).append(said)
    return found

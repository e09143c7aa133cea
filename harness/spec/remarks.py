"""What a study may do, and its reader should know: notes, where harness.spec.checks has errors."""

from __future__ import annotations

from typing import Any

from harness.spec.study import Study


def remarks(study: Study) -> list[str]:
    """Sentences about the values that the study will have, each once, naming its evaluation.

    So far: a Fréchet distance of fewer images than it has dimensions.
    """
    reference = study.settings.reference
    if reference is None:
        return []
    extractor: Any = reference.extractor
    found: dict[str, dict[str, None]] = {}
    for data in {id(r.data): r.data for r in study.runs}.values():
        images = reference.images
        if images is None and reference.statistics is None:
            images = data.train_images
        for name, evaluation in study.evaluations.items():
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
    return [f"{said} ({', '.join(names)})" for said, names in found.items()]

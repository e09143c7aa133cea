"""Floor, ceiling and subset, which stand beside samples and are measured by the same code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.components import stored
from harness.metrics import Reference, extract, measure
from harness.metrics.features import Features
from harness.plan.stages import CeilingStage, FloorStage, SubsetStage
from harness.stages.columns import measured_row
from harness.stages.copied import training_features
from harness.stages.reference import extractor_of, trained_how
from harness.stages.work import Work
from harness.store.results import ReferenceResult

OF = {
    "floor": "real images",
    "reconstruction": "decoded encodings",
    "ceiling": "decoded noise",
    "subset": "the first samples",
}


def measured_beside(
    settings: FloorStage | CeilingStage | SubsetStage,
    work: Work,
    images: Iterator[np.ndarray] | Features,
    count: int,
    shared: Mapping[str, Any],
    details: Callable[[], Mapping[str, Any]] = dict,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of the metrics table, and metrics that cannot be computed with their reasons.

    images: batches of `count` images, uint8 (N, H, W, 3), or their features. shared: what all rows
    say; `of` names what was measured. details: of every metric, asked for once the images have been
    seen. One pass of the reference's extractor, where there are no features yet.
    """
    known = work.inputs["reference"]
    extractor = extractor_of(work)
    features = (
        images
        if isinstance(images, Features)
        else extract(
            images,
            extractor,
            batch_size=work.place.batch_size,
            progress=lambda done: work.progress(done=done, total=count, unit="images"),
            keep=("pool", "probabilities", *(("spatial",) if settings.subsets > 1 else ())),
        )
    )
    absent: dict[str, str] = {}
    metrics = [stored.read("metric", {"metric": content}) for content in settings.metrics]
    measured = measure(
        features,
        Reference.load(known.file("reference.npz")),
        metrics=metrics,
        k=settings.k,
        split_size=settings.split_size,
        subsets=settings.subsets,
        device=str(work.device),
        absent=absent.__setitem__,
        **training_features(metrics, work, extractor),
    )
    for name, reason in absent.items():
        print(f"{name} of {OF[shared['of']]} is not measured: {reason}", flush=True)
    more = {**trained_how(known.result(ReferenceResult).training), **details()}
    about = {"key": work.task.key, "reference_key": work.task.inputs["reference"], **shared}
    return [{**about, **measured_row(m, extractor.resize, **more)} for m in measured], absent

"""The evaluate stage: metrics of one set of samples against one reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.components import stored
from harness.errors import BadInput
from harness.metrics import Reference, extract, measure
from harness.metrics.features import Features
from harness.plan.stages import EvaluateStage
from harness.stages.columns import measured_row
from harness.stages.real_images import rgb
from harness.stages.reference import extractor_of, trained_how
from harness.stages.samples import read_images
from harness.stages.work import Outcome, Work
from harness.store.artifacts import Artifact
from harness.store.results import EvaluateResult, ReferenceResult, SampleResult


def run(settings: EvaluateStage, work: Work) -> Outcome:
    """One pass of the extractor for all metrics. One that cannot be computed is absent."""
    drawn = work.inputs["samples"].result(SampleResult)
    known = work.inputs["reference"].result(ReferenceResult)
    extractor = extractor_of(work)
    if extractor.sha256 != known.extractor_sha256:
        raise BadInput(
            f"the weights of {extractor.name} here have checksum {extractor.sha256}, the reference "
            f"was made with {known.extractor_sha256}"
        )
    reference = Reference.load(work.inputs["reference"].file("reference.npz"))
    features = _features(settings, work.inputs["samples"], extractor, work)
    absent: dict[str, str] = {}
    measured = measure(
        features,
        reference,
        metrics=[stored.read("metric", {"metric": content}) for content in settings.metrics],
        k=settings.k,
        split_size=settings.split_size,
        subsets=settings.subsets,
        device=str(work.device),
        absent=absent.__setitem__,
    )
    for name, reason in absent.items():
        print(f"{name} is not measured: {reason}", flush=True)
    shared = {
        "key": work.task.key,
        "of": "samples",
        "sample_key": work.task.inputs["samples"],
        "checkpoint_key": drawn.checkpoint_key,
        "reference_key": work.task.inputs["reference"],
        **drawn.columns,
    }
    more: dict[str, Any] = (
        {} if drawn.decoder_sha256 is None else {"decoder_sha256": drawn.decoder_sha256}
    )
    more |= trained_how(known.training)
    rows = [
        {
            **shared,
            **measured_row(m, extractor.resize, **more),
        }
        for m in measured
    ]
    return Outcome(EvaluateResult(absent), {"metrics": rows})


def _features(settings: EvaluateStage, samples: Artifact, extractor: Any, work: Work) -> Features:
    """Of the stored images; or as the sample stage extracted them."""
    drawn = samples.result(SampleResult)
    if drawn.images == "none":
        with np.load(samples.file("features.npz"), allow_pickle=False) as stored:
            return Features(**{"pool": None, **stored})
    batch, total = work.place.batch_size, drawn.samples
    return extract(  # type: ignore[no-any-return]
        (rgb(images) for images in read_images(samples.folder, batch)),
        extractor,
        batch_size=batch,
        progress=lambda done: work.progress(done=done, total=total, unit="images"),
        # Spatial features are as large as the others; without a spread, their moments will do.
        keep=("pool", "probabilities", *(("spatial",) if settings.subsets > 1 else ())),
    )

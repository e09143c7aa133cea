"""The evaluate stage: metrics of one set of samples against one reference."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from harness.components import stored
from harness.errors import BadInput
from harness.metrics import Reference, extract, measure
from harness.metrics.features import Features
from harness.plan.stages import EvaluateStage
from harness.stages.reference import extractor_of, metric_columns, rgb, trained_how
from harness.stages.samples import read_images
from harness.stages.work import Outcome, Work
from harness.store.artifacts import Artifact


def run(settings: EvaluateStage, work: Work) -> Outcome:
    """One pass of the extractor for all metrics. One that cannot be computed is absent."""
    samples, known = work.inputs["samples"], work.inputs["reference"]
    extractor = extractor_of(work)
    if extractor.sha256 != known.facts["extractor_sha256"]:
        raise BadInput(
            f"the weights of {extractor.name} here have checksum {extractor.sha256}, the reference "
            f"was made with {known.facts['extractor_sha256']}"
        )
    reference = Reference.load(known.file("reference.npz"))
    features = _features(settings, samples, extractor, work)
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
        "checkpoint_key": samples.facts["checkpoint_key"],
        "reference_key": work.task.inputs["reference"],
        **samples.facts["described"],
        **samples.facts["sampling"],
    }
    decoder = samples.facts.get("decoder_sha256")  # none: pixels, or an earlier version's samples
    made_with = {} if decoder is None else {"decoder_sha256": decoder}
    made_with |= trained_how(known.facts)
    rows = [
        {
            **shared,
            "metric": m.name,
            "value": m.value,
            "std": m.std,
            "std_df": m.std_df if m.std is not None else None,
            "floor": known.facts["floor"].get(m.name),
            **metric_columns({**m.details, **made_with}, extractor.resize),
        }
        for m in measured
    ]
    values = {m.name: m.value for m in measured}
    (work.folder / "metrics.json").write_text(json.dumps(values, indent=1, allow_nan=False))
    return Outcome({"values": values, "absent": absent}, {"metrics": rows})


def _features(settings: EvaluateStage, samples: Artifact, extractor: Any, work: Work) -> Features:
    """Of the stored images; or as the sample stage extracted them."""
    if samples.facts["images"] == "none":
        with np.load(samples.file("features.npz"), allow_pickle=False) as stored:
            return Features(**{"pool": None, **stored})
    batch, total = work.place.batch_size, samples.facts["sampling"]["samples"]
    return extract(
        (rgb(images) for images in read_images(samples.folder, batch)),
        extractor,
        batch_size=batch,
        progress=lambda done: work.progress(done=done, total=total, unit="images"),
        # Spatial features are as large as the others; without a spread, their moments will do.
        keep=("pool", "probabilities", *(("spatial",) if settings.subsets > 1 else ())),
    )

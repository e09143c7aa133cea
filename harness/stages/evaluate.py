"""The evaluate stage: metrics of one set of samples against one reference."""

from __future__ import annotations

import json

import numpy as np

from harness.metrics import Reference, extract, load_extractor, measure
from harness.plan.stages import EvaluateStage
from harness.stages.reference import metric_columns, rgb
from harness.stages.work import Outcome, Work


def run(settings: EvaluateStage, work: Work) -> Outcome:
    """One pass of the extractor for all metrics. One that cannot be computed is absent."""
    samples, known = work.inputs["samples"], work.inputs["reference"]
    trained = known.folder / "extractor.safetensors"
    weights = trained if "extractor.safetensors" in known.manifest["files"] else None
    extractor = load_extractor(
        known.facts["extractor"], weights or work.place.extractor_weights, str(work.device)
    )
    reference = Reference.load(known.file("reference.npz"))
    images = np.load(samples.file("samples.npz"), allow_pickle=False)["arr_0"]
    features = extract(
        rgb(images),
        extractor,
        batch_size=work.place.batch_size,
        progress=lambda done: work.progress(done=done, total=len(images), unit="images"),
    )
    absent: dict[str, str] = {}
    measured = measure(
        features,
        reference,
        metrics=settings.metrics,
        k=settings.k,
        split_size=settings.split_size,
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
    rows = [
        {
            **shared,
            "metric": m.name,
            "value": m.value,
            "std": m.std,
            "floor": known.facts["floor"].get(m.name),
            **metric_columns(m.details, extractor.resize),
        }
        for m in measured
    ]
    values = {m.name: m.value for m in measured}
    (work.folder / "metrics.json").write_text(json.dumps(values, indent=1, allow_nan=False))
    return Outcome({"values": values, "absent": absent}, {"metrics": rows})

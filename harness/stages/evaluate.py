"""The evaluate stage: metrics of one set of samples against one reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.components import stored
from harness.components.metric import Metric
from harness.errors import BadInput
from harness.metrics import Reference, extract, measure
from harness.metrics.features import Features
from harness.plan.stages import NUMBERS_ALONE, WITH_FEATURES, Content, EvaluateStage
from harness.stages.columns import OF_METRIC, measured_row
from harness.stages.copied import training_features
from harness.stages.real_images import rgb
from harness.stages.reference import extractor_of, trained_how
from harness.stages.samples import read_images
from harness.stages.work import Outcome, Work
from harness.store import influences
from harness.store.artifacts import Artifact
from harness.store.results import EvaluateResult, ReferenceResult, SampleResult
from harness.store.tables import MADE

KEPT = ("pool", "probabilities")  # spatial features are as large as the images
MOST_KEPT = 16 * 2**20  # bytes of features that are kept however small their images are


@dataclass(frozen=True)
class _Earlier:
    """An evaluation of the same samples, from which this one goes on."""

    row: Mapping[str, Any]  # one of its rows: all of them say the same about the samples
    taken: Mapping[str, dict[str, Any]]  # rows of what both ask for, by recorded name
    absent: Mapping[str, str]  # of what both ask for: what could not be measured, and why
    features: Features | None  # None: not kept, or not all that is needed

    def about(self) -> dict[str, Any]:
        """The columns of its rows that are on the samples, not on one metric or on its making."""
        own = {"metric", "value", "std", "std_df", "influence", "resize", "measured_with"}
        own |= {*OF_METRIC}
        own |= {column.name for column in MADE}
        return {name: value for name, value in self.row.items() if name not in own}

    def decoder(self) -> str | None:
        """The checksum of the decoder that the samples went through."""
        found: str | None = json.loads(self.row.get("measured_with") or "{}").get("decoder_sha256")
        return found


def run(settings: EvaluateStage, work: Work) -> Outcome:
    """One pass of the extractor for all metrics. One that cannot be computed is absent.

    What an earlier evaluation of these samples measured is taken over, and of its features, where
    it kept them, the rest is measured.
    """
    known = work.inputs["reference"].result(ReferenceResult)
    extractor = extractor_of(work)
    if extractor.sha256 != known.extractor_sha256:
        raise BadInput(
            f"the weights of {extractor.name} here have checksum {extractor.sha256}, the reference "
            f"was made with {known.extractor_sha256}"
        )
    metrics = {m.recorded(extractor.name): m for m in map(_metric, settings.metrics)}
    earlier = _earlier(settings, work, extractor.name)
    taken = {} if earlier is None else earlier.taken
    absent = {} if earlier is None else {**earlier.absent}
    new = [metric for name, metric in metrics.items() if name not in {**taken, **absent}]
    features, kept = _of_samples(settings, work, earlier, extractor) if new else (None, ())
    measured = (
        []
        if features is None
        else measure(
            features,
            Reference.load(work.inputs["reference"].file("reference.npz")),
            metrics=new,
            k=settings.k,
            split_size=settings.split_size,
            subsets=settings.subsets,
            device=str(work.device),
            absent=absent.__setitem__,
            **training_features(new, work, extractor),
        )
    )
    for name, reason in absent.items():
        print(f"{name} is not measured: {reason}", flush=True)
    if taken:
        print(f"taken over, measured before: {', '.join(taken)}", flush=True)
    about, decoder = _about(work, earlier)
    more: dict[str, Any] = {} if decoder is None else {"decoder_sha256": decoder}
    more |= trained_how(known.training)
    rows = {
        m.name: {
            **about,
            **measured_row(m, extractor.resize, **more),
            "influence": influences.written(m.influence),
        }
        for m in measured
    } | {name: {**row, "key": work.task.key} for name, row in taken.items()}
    return Outcome(
        EvaluateResult(absent, kept), {"metrics": [rows[n] for n in metrics if n in rows]}
    )


def _metric(content: Content) -> Metric:
    metric: Metric = stored.read("metric", {"metric": content})
    return metric


def _earlier(settings: EvaluateStage, work: Work, extractor: str) -> _Earlier | None:
    """The evaluation to go on from. extractor: the name that is in those of its metrics."""
    role = next((r for r in (WITH_FEATURES, NUMBERS_ALONE) if r in work.after), None)
    if role is None:
        return None
    artifact = work.after[role]
    before = EvaluateStage.model_validate(artifact.manifest.settings)
    both = [_metric(m) for m in settings.metrics if settings.same_metric(before, m)]
    names = {metric.recorded(extractor) for metric in both}
    rows = artifact.rows()["metrics"]
    absent = artifact.result(EvaluateResult).absent
    return _Earlier(
        rows[0],
        {row["metric"]: row for row in rows if row["metric"] in names},
        {name: reason for name, reason in absent.items() if name in names},
        kept_features(artifact) if role == WITH_FEATURES else None,
    )


def kept_features(artifact: Artifact) -> Features:
    """The features that a sample stage or an evaluation kept."""
    with np.load(artifact.file("features.npz"), allow_pickle=False) as kept:
        return Features(**{"pool": None, **kept})


def _about(work: Work, earlier: _Earlier | None) -> tuple[dict[str, Any], str | None]:
    """The columns that all rows have, and the checksum of the samples' decoder."""
    if "samples" not in work.inputs:
        assert earlier is not None  # only because it exists are the samples not needed
        return {**earlier.about(), "key": work.task.key}, earlier.decoder()
    drawn = work.inputs["samples"].result(SampleResult)
    return {
        "key": work.task.key,
        "of": "samples",
        "reference_key": work.task.inputs["reference"],
        **samples_columns(work, drawn),
    }, drawn.decoder_sha256


def samples_columns(work: Work, drawn: SampleResult) -> dict[str, Any]:
    """The columns that say which samples were measured, and how they were drawn."""
    return {
        "sample_key": work.task.inputs["samples"],
        "checkpoint_key": drawn.checkpoint_key,
        **drawn.columns,
    }


def _of_samples(
    settings: EvaluateStage, work: Work, earlier: _Earlier | None, extractor: Any
) -> tuple[Features, tuple[str, ...]]:
    """The samples' features, and which parts of them are kept for metrics that come later.

    They are kept where they are smaller than the samples or than MOST_KEPT. Those that the sample
    stage itself keeps are not kept twice.
    """
    if earlier is not None and earlier.features is not None:
        features, room = earlier.features, None
    else:
        samples = work.inputs["samples"]
        features = _features(settings, samples, extractor, work)
        if samples.result(SampleResult).images == "none":
            return features, ()
        room = max(MOST_KEPT, sum(entry.bytes for entry in samples.manifest.files.values()))
    arrays = {part: rows for part in KEPT if (rows := getattr(features, part)) is not None}
    if not arrays or (room is not None and sum(a.nbytes for a in arrays.values()) > room):
        return features, ()
    np.savez(work.folder / "features.npz", **arrays)
    return features, tuple(arrays)


def _features(settings: EvaluateStage, samples: Artifact, extractor: Any, work: Work) -> Features:
    """Features of the stored images; or those that the sample stage extracted."""
    drawn = samples.result(SampleResult)
    if drawn.images == "none":
        return kept_features(samples)
    batch, total = work.place.batch_size, drawn.samples
    return extract(  # type: ignore[no-any-return]
        (rgb(images) for images in read_images(samples.folder, batch)),
        extractor,
        batch_size=batch,
        progress=lambda done: work.progress(done=done, total=total, unit="images"),
        # Spatial features are as large as the others; without a spread, their moments will do.
        keep=("pool", "probabilities", *(("spatial",) if settings.subsets > 1 else ())),
    )

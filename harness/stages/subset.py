"""The subset stage: the first samples of a set, as many as the floor has images.

A distance depends on the number of images. Where fewer real images are held out than there are
samples, floor and samples can be compared only at the floor's number, and this stage measures the
samples there. Noise and label of sample i depend on (seed, i) alone: the first n are n samples like
any others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.errors import BadInput
from harness.metrics.features import Features
from harness.plan.stages import SubsetStage
from harness.stages.beside import measured_beside
from harness.stages.evaluate import kept_features, samples_columns
from harness.stages.real_images import rgb
from harness.stages.samples import read_images
from harness.stages.work import Outcome, Work
from harness.store.results import SampleResult, SubsetResult


def run(settings: SubsetStage, work: Work) -> Outcome:
    """One pass of the reference's extractor over the first samples, for all metrics."""
    samples = work.inputs["samples"]
    drawn, count = samples.result(SampleResult), settings.images
    if drawn.samples < count:
        raise BadInput(f"{count:,} of {drawn.samples:,} samples were asked for")
    images: Iterator[np.ndarray] | Features
    if drawn.images == "none":
        images = kept_features(samples)[:count]
    else:
        images = _first(samples.folder, count, work.place.batch_size)
    shared = {"of": "subset", **samples_columns(work, drawn), "samples": count}
    more = {} if drawn.decoder_sha256 is None else {"decoder_sha256": drawn.decoder_sha256}
    rows, absent = measured_beside(settings, work, images, count, shared, lambda: more)
    return Outcome(SubsetResult(count, absent), {"metrics": rows})


def _first(folder: Path, count: int, size: int) -> Iterator[np.ndarray]:
    """Batches of the first `count` images."""
    done = 0
    for batch in read_images(folder, size):
        yield rgb(batch[: count - done])
        done += len(batch)
        if done >= count:
            return

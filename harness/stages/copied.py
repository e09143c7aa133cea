"""The features of a study's training images, which metrics of copying look for among samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.components.metric import Metric
from harness.metrics import extract
from harness.plan.stages import ReferenceStage
from harness.stages.encode import images_of, source_of
from harness.stages.real_images import batches, chosen, readable
from harness.stages.work import Work

MOST = 50_000  # training images; of a larger set, this many are drawn by the reference's seed


def training_features(
    metrics: Iterable[Metric], work: Work, extractor: Any
) -> NDArray[np.float32] | None:
    """(M, D) pool features in the order of the data, where a metric asks for them; else None.

    What is held out is not among them. Raises Missing where the images are not there.
    """
    if not any(metric.copying for metric in metrics):
        return None
    made_with = ReferenceStage.model_validate(work.inputs["reference"].manifest.settings)
    data = made_with.data
    count = work.place.train_images if source_of(data, work).made else None
    images = images_of(data, work, "train", count, check_classes=False)
    indices = readable(images, chosen(MOST, len(images), made_with.seed), work.place.max_corrupt)
    batch = work.place.batch_size
    found = extract(
        batches(images, indices, data.image_size, batch, made_with.gray),
        extractor,
        batch_size=batch,
        progress=lambda done: work.progress(done=done, total=len(indices), unit="training images"),
        keep=("pool",),
    )
    pool: NDArray[np.float32] | None = found.pool
    return pool

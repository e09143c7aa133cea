"""The features of a study's training images, which metrics of copying look for among samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from harness.components.metric import Metric
from harness.metrics import extract
from harness.plan.stages import ReferenceStage
from harness.stages.encode import images_of, source_of
from harness.stages.real_images import batches, chosen, readable
from harness.stages.work import Work

MOST = 50_000  # training images; of a larger set, this many are drawn by the reference's seed


class TrainingFeatures(TypedDict):
    """(M, D) pool features of the images in the data's order, and of their mirror images; None
    where no metric asks."""

    training: NDArray[np.float32] | None
    mirrored: NDArray[np.float32] | None


def training_features(metrics: Iterable[Metric], work: Work, extractor: Any) -> TrainingFeatures:
    """What `harness.metrics.measure` takes of the images that models are trained on.

    What is held out is not among them. Raises Missing where the images are not there.
    """
    asking = [metric for metric in metrics if metric.copying]
    if not asking:
        return {"training": None, "mirrored": None}
    made_with = ReferenceStage.model_validate(work.inputs["reference"].manifest.settings)
    data = made_with.data
    count = work.place.train_images if source_of(data, work).made else None
    images = images_of(data, work, "train", count, check_classes=False)
    indices = readable(images, chosen(MOST, len(images), made_with.seed), work.place.max_corrupt)
    batch = work.place.batch_size

    def features(mirrored: bool) -> NDArray[np.float32] | None:
        unit = "mirrored training images" if mirrored else "training images"
        found = extract(
            (
                np.ascontiguousarray(x[:, :, ::-1]) if mirrored else x
                for x in batches(images, indices, data.image_size, batch, made_with.gray)
            ),
            extractor,
            batch_size=batch,
            progress=lambda done: work.progress(done=done, total=len(indices), unit=unit),
            keep=("pool",),
        )
        pool: NDArray[np.float32] | None = found.pool
        return pool

    also_mirrored = any(metric.looks_mirrored for metric in asking)
    return {
        "training": features(mirrored=False),
        "mirrored": features(mirrored=True) if also_mirrored else None,
    }

"""The features of mirror images of a reference's images, for metrics of copying (`evaluate`).

In a study it is training images that are mirrored (harness.stages.copied).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.metrics.features import extract
from harness.metrics.reference import Reference, kept_images
from harness.metrics.statistics_files import images_at

if TYPE_CHECKING:
    from harness.components.extractor import Network as Extractor
    from harness.components.metric import Metric
    from harness.metrics.resized import Images


def mirrored_features(
    images: Images | None,
    reference: Reference,
    extractor: Extractor,
    *,
    batch_size: int = 64,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> NDArray[np.float32] | None:
    """Pool features of mirror images, (M, D): of those that the reference has features of, in
    their order; None where it has none, or its images are not there.

    images: all that it was made of, and `seed` as it was made with. progress: as that of
    harness.metrics.evaluate. Raises BadInput where they are fewer.
    """
    if images is None or reference.features is None:
        return None
    kept = len(reference.features)
    if kept > images.count:
        raise BadInput(f"{images.path}: the reference was made of other images than these")
    keep = kept_images(images.count, seed, kept)

    def batches() -> Iterator[NDArray[np.uint8]]:
        done = 0
        for batch in images.batches(batch_size):
            chosen = batch[keep[done : done + len(batch)]]
            done += len(batch)
            if len(chosen):
                yield np.ascontiguousarray(chosen[:, :, ::-1])

    report = None if progress is None else lambda done: progress("mirrored", done, kept)
    found = extract(batches(), extractor, batch_size=batch_size, progress=report, keep=("pool",))
    pool: NDArray[np.float32] | None = found.pool
    return pool


def not_to_be_seen(metrics: Sequence[Metric], path: Path | str, extractor: str) -> list[str]:
    """Sentences on metrics that look at mirror images, where a file of statistics has no images."""
    asking = [metric for metric in metrics if metric.looks_mirrored]
    if not asking or images_at(Path(path), extractor, None) is not None:
        return []
    return [
        f"{metric.recorded(extractor)} cannot look at mirror images: {path} holds statistics alone"
        for metric in asking
    ]

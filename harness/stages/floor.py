"""The floor stage: what real images score against the reference, measured as samples are.

No model can be expected below it. Its images are held out: a source's own part (an image folder's
`val`), else those of the training images that the reference did not use. Where none are left there
is no floor, as images measured against themselves say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.components.source import Images
from harness.errors import BadInput
from harness.plan.reads import OF_KIND
from harness.plan.stages import FloorStage, ReferenceStage
from harness.stages import files_read
from harness.stages.beside import measured_beside
from harness.stages.encode import images_of, source_of
from harness.stages.real_images import batches, chosen, readable
from harness.stages.reconstruction import Reconstruction
from harness.stages.reference import component_of, divided
from harness.stages.work import Outcome, Work
from harness.store.results import FloorResult

NO_IMAGES = (
    "no image is left for a floor: the reference is made of all of them, and images measured "
    "against themselves say nothing. Say data.held_out (a share, as 0.1, or a folder), let "
    "data.path hold a folder `val` beside `train`, give reference.images fewer than there are, or "
    "say reference.floor_images: 0"
)


def run(settings: FloorStage, work: Work) -> Outcome:
    """One pass of the reference's extractor over held-out images, for all metrics."""
    known = work.inputs["reference"]
    made_with = ReferenceStage.model_validate(known.manifest.settings)
    source, roles = source_of(made_with.data, work), _roles(settings, made_with, work)
    files = files_read.begin(work, source, roles)
    images, count = _images(settings, made_with, work)
    through = None if settings.autoencoder is None else Reconstruction(settings, work)
    if through is not None:
        images = through.of(images)
    shared: dict[str, Any] = {
        "of": "floor" if through is None else "reconstruction",
        "data": made_with.data.name,
        "image_size": made_with.data.image_size,
        "samples": count,
        "floor_images": count,
    }
    if through is not None:
        shared |= {"decoder": settings.decoder, "floor_images": None}
    # as late as the images have gone through it
    rows, absent = measured_beside(
        settings, work, images, count, shared, lambda: through.about() if through else {}
    )
    files_read.checksums(work, source, files)
    files_read.finish(work, source, files)
    if through is None:
        rows = [{**row, "floor": row["value"]} for row in rows]
    else:
        about = {"key": work.task.key, "reference_key": work.task.inputs["reference"], **shared}
        rows += [{**about, **row} for row in through.rows()]
    return Outcome(FloorResult(count, absent), {"metrics": rows})


def _roles(settings: FloorStage, reference: ReferenceStage, work: Work) -> list[str]:
    """The files from outside that are read. Weights of a trained extractor are the reference's."""
    of = {
        "floor": True,
        "autoencoder": settings.autoencoder is not None,
        "extractor": not component_of(reference, work).trained,
    }
    return [role for role in OF_KIND["floor"] if of[role]]


def _images(
    settings: FloorStage, reference: ReferenceStage, work: Work
) -> tuple[Iterator[np.ndarray], int]:
    """Batches of `settings.images` held-out images, or of all there are, and how many."""
    data, batch = reference.data, work.place.batch_size
    made = source_of(data, work).made
    count = settings.images if made else None
    images = images_of(data, work, settings.split, count, check_classes=False)
    indices = np.arange(len(images))
    if made:  # whose parts are disjoint
        return batches(images, indices, data.image_size, batch, reference.gray), len(indices)
    parts = divided(reference, work)  # where the extractor was trained on some of them, too
    if parts is not None:
        indices = parts.get("floor", indices)
    else:
        indices = _left_over(images, reference, work)
    if not len(indices):
        raise BadInput(f"data {data.name!r} at {work.place.data_path}: {NO_IMAGES}")
    indices = indices[chosen(settings.images, len(indices), reference.seed)]
    indices = readable(images, indices, work.place.max_corrupt)
    return batches(images, indices, data.image_size, batch, reference.gray), len(indices)


def _left_over(images: Images, reference: ReferenceStage, work: Work) -> np.ndarray:
    """Positions of the images that the reference was not made of."""
    indices = np.arange(len(images))
    if work.place.statistics is not None and isinstance(reference.data.held_out, float):
        return indices[:0]  # a share of the images that the statistics are taken to be of
    behind = images_of(reference.data, work, "reference", None, check_classes=False)
    if len(behind) != len(images) or behind.fingerprint != images.fingerprint:
        return indices  # images of their own
    if work.place.statistics is not None:  # of all of them
        return indices[:0]
    return np.setdiff1d(indices, chosen(reference.images, len(images), reference.seed))

"""The floor stage: what real images score against the reference, measured as samples are.

No model can be expected below it. Its images are held out: a source's own part (an image folder's
`val`), else those of the training images that the reference did not use. Where none are left there
is no floor, as images measured against themselves say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.components import stored
from harness.errors import BadInput
from harness.metrics import Reference, extract, measure
from harness.plan.stages import FloorStage, ReferenceStage
from harness.stages.columns import measured_row
from harness.stages.encode import images_of, source_of
from harness.stages.real_images import batches, chosen
from harness.stages.reference import extractor_of
from harness.stages.work import Outcome, Work
from harness.store.results import FloorResult

NO_IMAGES = (
    "no image is left for a floor: the reference is made of all of them, and images measured "
    "against themselves say nothing. Let data.path hold a folder `val` of held-out images beside "
    "`train`, give reference.images fewer than there are, or say reference.floor_images: 0"
)


def run(settings: FloorStage, work: Work) -> Outcome:
    """One pass of the reference's extractor over held-out images, for all metrics."""
    known = work.inputs["reference"]
    made_with = ReferenceStage.model_validate(known.manifest.settings)
    images, count = _images(settings, made_with, work)
    extractor = extractor_of(work)
    features = extract(
        images,
        extractor,
        batch_size=work.place.batch_size,
        progress=lambda done: work.progress(done=done, total=count, unit="images"),
        keep=("pool", "probabilities", *(("spatial",) if settings.subsets > 1 else ())),
    )
    absent: dict[str, str] = {}
    measured = measure(
        features,
        Reference.load(known.file("reference.npz")),
        metrics=[stored.read("metric", {"metric": content}) for content in settings.metrics],
        k=settings.k,
        split_size=settings.split_size,
        subsets=settings.subsets,
        device=str(work.device),
        absent=absent.__setitem__,
    )
    for name, reason in absent.items():
        print(f"{name} of real images is not measured: {reason}", flush=True)
    shared = {
        "key": work.task.key,
        "of": "floor",
        "reference_key": work.task.inputs["reference"],
        "data": made_with.data.name,
        "image_size": made_with.data.image_size,
        "samples": count,
        "floor_images": count,
    }
    rows = [{**shared, "floor": m.value, **measured_row(m, extractor.resize)} for m in measured]
    return Outcome(FloorResult(count, absent), {"metrics": rows})


def _images(
    settings: FloorStage, reference: ReferenceStage, work: Work
) -> tuple[Iterator[np.ndarray], int]:
    """Batches of `settings.images` held-out images, or of all there are, and how many."""
    data = reference.data
    made = source_of(data, work).made
    count = settings.images if made else None
    images = images_of(data, work, settings.split, count, check_classes=False)
    indices = np.arange(len(images))
    if made:  # whose parts are disjoint
        return batches(images, indices, data.image_size, work.place.batch_size), len(indices)
    behind = images_of(data, work, "reference", None, check_classes=False)
    if len(behind) == len(images) and behind.fingerprint == images.fingerprint:
        used = chosen(reference.images, len(images), reference.seed)
        if reference.statistics is not None or reference.statistics_sha256 is not None:
            used = indices  # statistics of all of them
        indices = np.setdiff1d(indices, used)
    if not len(indices):
        raise BadInput(f"data {data.name!r} at {work.place.data_path}: {NO_IMAGES}")
    indices = indices[chosen(settings.images, len(indices), reference.seed)]
    return batches(images, indices, data.image_size, work.place.batch_size), len(indices)

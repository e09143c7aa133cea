"""The reference stage: the feature extractor, and the real images' statistics.

For an embedded data set the extractor is a classifier trained here, on images of their own; the
reference is of further images, disjoint from those and from the training set. What other real
images score against it is a stage of its own (harness.stages.floor).

Files committed: reference.npz, and extractor.safetensors when it was trained here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.components import Extractor, stored
from harness.errors import BadInput
from harness.metrics import Reference, load_extractor
from harness.plan.stages import ReferenceStage
from harness.stages.encode import images_of, source_of
from harness.stages.real_images import batches, chosen, in_memory
from harness.stages.work import Outcome, Work
from harness.store.results import ReferenceResult


def run(settings: ReferenceStage, work: Work) -> Outcome:
    """Make or load the extractor, measure the real images with it."""
    extractor, about = _extractor(settings, work)
    if settings.extractor_sha256 not in (None, extractor.sha256):
        raise BadInput(
            f"the weights of {extractor.name} have checksum {extractor.sha256}, "
            f"the study asks for {settings.extractor_sha256}"
        )
    batch = work.place.batch_size
    if work.place.statistics is not None:
        reference = Reference.from_adm(work.place.statistics, extractor, batch_size=batch)
        if settings.statistics_sha256 not in (None, reference.sha256):
            raise BadInput(
                f"{work.place.statistics} has checksum {reference.sha256}, "
                f"the study asks for {settings.statistics_sha256}"
            )
    else:
        real, count = _images(settings, work)
        reference = Reference.from_images(  # streamed: a training set's features are 20 GB
            real,
            extractor,
            count=count,
            pr_images=settings.recall_images,
            seed=settings.seed,
            source=f"{settings.data.name}, {count} images",
            batch_size=batch,
            progress=lambda done: work.progress(done=done, total=count, unit="images"),
        )
    reference.save(work.folder / "reference.npz")
    return Outcome(
        ReferenceResult(
            extractor=extractor.name,
            extractor_sha256=extractor.sha256,
            resize=extractor.resize,
            reference_sha256=reference.sha256,
            images=reference.images,
            source=reference.source,
            training=about,
        )
    )


def component_of(settings: ReferenceStage, work: Work) -> Extractor:
    """The extractor that a reference stage's settings name."""
    found: Extractor = stored.read(
        "extractor", settings.model_dump(), places=work.place.own.get("extractor")
    )
    return found


def extractor_of(work: Work) -> Any:
    """The extractor behind the input `reference`: trained with it, or published weights."""
    known = work.inputs["reference"]
    trained = known.folder / "extractor.safetensors"
    weights = trained if trained.name in known.manifest.files else None
    made_with = ReferenceStage.model_validate(known.manifest.settings)
    return load_extractor(
        component_of(made_with, work), weights or work.place.extractor_weights, str(work.device)
    )


def _extractor(settings: ReferenceStage, work: Work) -> tuple[Any, dict[str, Any]]:
    component = component_of(settings, work)
    if not component.trained:
        return load_extractor(component, work.place.extractor_weights, str(work.device)), {}
    component.check(settings.data)

    def load(split: str, count: int | None) -> tuple[np.ndarray, np.ndarray]:
        images = images_of(settings.data, work, split, count, check_classes=False)  # type: ignore[arg-type]
        return in_memory(images, settings.data.image_size)

    path = work.folder / "extractor.safetensors"
    about = component.train(
        load,
        path,
        images=settings.extractor_images,
        steps=settings.extractor_steps,
        seed=settings.seed,
    )
    return load_extractor(component, path, str(work.device)), about


def _images(settings: ReferenceStage, work: Work) -> tuple[Iterator[np.ndarray], int]:
    """Batches of real images, and how many: as many as asked, drawn by the seed, or all."""
    count = settings.images
    made = source_of(settings.data, work).made
    wanted = count if count is not None else settings.data.train_images
    wanted = wanted if made else None
    images = images_of(settings.data, work, "reference", wanted, check_classes=False)
    indices = chosen(count, len(images), settings.seed)
    return batches(images, indices, settings.data.image_size, work.place.batch_size), len(indices)

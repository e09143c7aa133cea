"""The reference stage: the feature extractor, and the real images' statistics.

An extractor that is trained here has images of its own: of an embedded data set its own split, of
one that lies on disk a part that neither reference nor floor has (harness.metrics.division). What
other real images score against the reference is a stage of its own (harness.stages.floor).

Files committed: reference.npz, and extractor.safetensors when it was trained here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.components import Extractor, stored
from harness.components.source import Split
from harness.errors import BadInput
from harness.metrics import Reference, load_extractor
from harness.metrics.division import divide
from harness.metrics.statistics_files import read_statistics
from harness.plan.reads import OF_KIND
from harness.plan.stages import ReferenceStage
from harness.stages import files_read
from harness.stages.encode import images_of, source_of
from harness.stages.real_images import batches, chosen, in_memory, readable
from harness.stages.work import Outcome, Work
from harness.store.results import ReferenceResult


def run(settings: ReferenceStage, work: Work) -> Outcome:
    """Make or load the extractor, measure the real images with it."""
    source, roles = source_of(settings.data, work), _roles(settings, work)
    files = files_read.begin(work, source, roles)
    parts = divided(settings, work)
    extractor, about = _extractor(settings, work, parts)
    if settings.extractor_sha256 not in (None, extractor.sha256):
        raise BadInput(
            f"the weights of {extractor.name} have checksum {extractor.sha256}, "
            f"the study asks for {settings.extractor_sha256}"
        )
    batch = work.place.batch_size
    if work.place.statistics is not None:
        reference = read_statistics(work.place.statistics, extractor, batch_size=batch)
        if settings.statistics_sha256 not in (None, reference.sha256):
            raise BadInput(
                f"{work.place.statistics} has checksum {reference.sha256}, "
                f"the study asks for {settings.statistics_sha256}"
            )
    else:
        real, count = _images(settings, work, parts)
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
    files_read.checksums(work, source, files)
    files_read.finish(work, source, files)
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


def _roles(settings: ReferenceStage, work: Work) -> list[str]:
    """The files from outside that the stage reads."""
    of = {
        "data": work.place.statistics is None,
        "floor": settings.data.reference_held_out and work.place.held_out_path is not None,
        "extractor": not component_of(settings, work).trained,
        "statistics": True,
    }
    return [role for role in OF_KIND["reference"] if of[role]]


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


def trained_how(training: Mapping[str, Any]) -> dict[str, Any]:
    """Columns on the extractor that was trained for a number; empty where none was."""
    said = ("accuracy", "chance", "held_out")
    return {f"extractor_{n}": training[n] for n in said if training.get(n) is not None}


PART_OF = {"classifier": "extractor"}  # split -> the part that it is of data on disk
Parts = Mapping[str, np.ndarray]  # positions in the data on disk, by what they are for


def divided(settings: ReferenceStage, work: Work) -> Parts | None:
    """The division of a data set on disk among its uses; None where nothing has to be divided.

    A part that has images of its own (a folder `val`, images held out) is not named.
    """
    component = component_of(settings, work)
    if not component.trained or source_of(settings.data, work).made:
        return None
    splits: tuple[Split, ...] = ("classifier", "reference", "floor")
    images = {s: images_of(settings.data, work, s, None, check_classes=False) for s in splits}
    shared = images["classifier"]
    apart: dict[str, bool] = {
        split: len(other) != len(shared) or other.fingerprint != shared.fingerprint
        for split, other in images.items()
    }
    division = divide(
        len(shared),
        extractor_images=settings.extractor_images,
        least=component.least_images(settings.data.num_classes),
        images=0 if apart["reference"] else settings.images,
        dimensions=component.dimensions,
        floor_images=0 if apart["floor"] else settings.floor_images,
    )
    parts = division.indices(len(shared), settings.seed)
    return {part: chosen for part, chosen in parts.items() if not apart.get(part, False)}


def _extractor(
    settings: ReferenceStage, work: Work, parts: Parts | None
) -> tuple[Any, dict[str, Any]]:
    component = component_of(settings, work)
    if not component.trained:
        return load_extractor(component, work.place.extractor_weights, str(work.device)), {}
    component.check(settings.data)

    def load(split: str, count: int | None) -> tuple[np.ndarray, np.ndarray]:
        if parts is not None and split == "classifier-test":
            split = "reference"
        images = images_of(settings.data, work, split, count, check_classes=False)  # type: ignore[arg-type]
        if parts is None:
            return in_memory(images, settings.data.image_size, gray=settings.gray)
        role = PART_OF.get(split, split)
        part = parts[role] if role in parts else np.arange(len(images))
        if count is not None and count < len(part):
            part = np.sort(np.random.default_rng(settings.seed).permutation(part)[:count])
        part = readable(images, part, work.place.max_corrupt)
        return in_memory(images, settings.data.image_size, part, settings.gray)

    path = work.folder / "extractor.safetensors"
    about = component.train(
        load,
        path,
        images=settings.extractor_images,
        steps=settings.extractor_steps,
        seed=settings.seed,
        data=settings.data.name,
    )
    return load_extractor(component, path, str(work.device)), about


def _images(
    settings: ReferenceStage, work: Work, parts: Parts | None
) -> tuple[Iterator[np.ndarray], int]:
    """Batches of real images, and how many: as many as asked, drawn by the seed, or all."""
    count = settings.images
    made = source_of(settings.data, work).made
    wanted = count if count is not None else settings.data.train_images
    wanted = wanted if made else None
    images = images_of(settings.data, work, "reference", wanted, check_classes=False)
    if parts is not None and "reference" in parts:
        indices = parts["reference"]
    else:
        indices = chosen(count, len(images), settings.seed)
    if not made:
        indices = readable(images, indices, work.place.max_corrupt)
    size, batch = settings.data.image_size, work.place.batch_size
    return batches(images, indices, size, batch, settings.gray), len(indices)

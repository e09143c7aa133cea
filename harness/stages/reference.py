"""The reference stage: the feature extractor, the real images' statistics, and the floor.

An extractor that is trained here has images of its own: of an embedded data set its own split, of
one that lies on disk a part that neither reference nor floor has (harness.metrics.division). The
floor is what real images score against the reference: no model can be expected below it.

Files committed: reference.npz, and extractor.safetensors when it was trained here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.components import Extractor, stored
from harness.components.source import Images, Split
from harness.data.images import ArrayImages
from harness.errors import BadInput
from harness.metrics import Reference, extract, load_extractor, measure
from harness.metrics.division import divide
from harness.plan.reads import OF_KIND
from harness.plan.stages import ReferenceStage
from harness.stages import files_read
from harness.stages.columns import measured_row
from harness.stages.encode import images_of, source_of
from harness.stages.work import Outcome, Work
from harness.store.results import ReferenceResult

METRICS = ("fd", "sfd", "is", "precision", "recall")


def run(settings: ReferenceStage, work: Work) -> Outcome:
    """Make or load the extractor, measure the real images with it."""
    source, roles = source_of(settings.data, work), _roles(settings, work)
    files = files_read.begin(work, source, roles)
    parts = _divided(settings, work)
    extractor, about = _extractor(settings, work, parts)
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
        real, count = _images(settings, work, "reference", settings.images, parts)
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

    floor: dict[str, float] = {}
    rows = []
    if settings.floor_images:
        real, count = _images(settings, work, "floor", settings.floor_images, parts)
        features = extract(
            real,
            extractor,
            batch_size=batch,
            progress=lambda done: work.progress(done=done, total=count, unit="images"),
        )
        split = count  # one chunk
        for metric in measure(
            features, reference, metrics=METRICS, split_size=split, device=str(work.device)
        ):
            floor[metric.name] = metric.value
            rows.append(
                {
                    "key": work.task.key,
                    "of": "floor",
                    "floor": metric.value,
                    "reference_key": work.task.key,
                    "data": settings.data.name,
                    "image_size": settings.data.image_size,
                    "samples": count,
                    **measured_row(metric, extractor.resize, **trained_how(about)),
                }
            )
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
            floor=floor,
        ),
        {"metrics": rows},
    )


def _roles(settings: ReferenceStage, work: Work) -> list[str]:
    """Which files from outside are read."""
    of = {
        "data": work.place.statistics is None,
        "floor": settings.floor_images > 0,
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


def trained_how(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a number says of the extractor that was trained for it; else nothing."""
    said = ("accuracy", "chance", "held_out")
    return {f"extractor_{name}": facts[name] for name in said if facts.get(name) is not None}


Parts = Mapping[str, np.ndarray]  # positions in the data on disk, by what they are for


def _divided(settings: ReferenceStage, work: Work) -> Parts | None:
    """Who has which images of a data set on disk; None where nothing has to be divided."""
    component = component_of(settings, work)
    if not component.trained or source_of(settings.data, work).made:
        return None
    images, floor = (
        images_of(settings.data, work, split, None, check_classes=False)
        for split in ("reference", "floor")
    )
    own_floor = len(floor) != len(images) or floor.fingerprint != images.fingerprint
    division = divide(
        len(images),
        extractor_images=settings.extractor_images,
        least=component.least_images(settings.data.num_classes),
        images=settings.images,
        dimensions=component.dimensions,
        floor_images=0 if own_floor else settings.floor_images,
    )
    parts = division.indices(len(images), settings.seed)
    if own_floor:
        del parts["floor"]
    return parts


def _extractor(
    settings: ReferenceStage, work: Work, parts: Parts | None
) -> tuple[Any, dict[str, Any]]:
    component = component_of(settings, work)
    if not component.trained:
        return load_extractor(component, work.place.extractor_weights, str(work.device)), {}
    component.check(settings.data)

    def load(split: str, count: int | None) -> tuple[np.ndarray, np.ndarray]:
        images = images_of(settings.data, work, split, count, check_classes=False)  # type: ignore[arg-type]
        if parts is None:
            return in_memory(images, settings.data.image_size)
        part = parts["extractor" if split == "classifier" else "reference"]
        if count is not None and count < len(part):
            part = np.sort(np.random.default_rng(settings.seed).permutation(part)[:count])
        return in_memory(images, settings.data.image_size, part)

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


def in_memory(
    images: Images, size: int, chosen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Images of a source (default: all) at one size: uint8 (N, size, size, C), labels (N,)."""
    from harness.data.crop import centre_crop

    if isinstance(images, ArrayImages) and chosen is None:
        return images.images, images.labels
    found = [images[int(i)] for i in (range(len(images)) if chosen is None else chosen)]
    return np.stack([centre_crop(x, size) for x, _ in found]), np.array([y for _, y in found])


def _images(
    settings: ReferenceStage, work: Work, split: Split, count: int | None, parts: Parts | None
) -> tuple[Iterator[np.ndarray], int]:
    """Batches of real images, and how many: `count` drawn by the seed, or all there are."""
    made = source_of(settings.data, work).made
    wanted = count if count is not None else settings.data.train_images
    images = images_of(settings.data, work, split, wanted if made else None, check_classes=False)
    chosen = np.arange(len(images))
    if parts is not None and split in parts:
        chosen = parts[split]
    elif count is not None and count < len(images):
        chosen = np.sort(np.random.default_rng(settings.seed).permutation(len(images))[:count])
    return _batches(images, chosen, settings.data.image_size, work.place.batch_size), len(chosen)


def _batches(images: Images, chosen: np.ndarray, size: int, batch: int) -> Iterator[np.ndarray]:
    from harness.data.crop import centre_crop

    for start in range(0, len(chosen), batch):
        rows = [centre_crop(images[int(i)][0], size) for i in chosen[start : start + batch]]
        yield rgb(np.stack(rows))


def rgb(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 1 or 3) to three channels; gray is repeated."""
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images

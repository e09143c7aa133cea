"""The reference stage: the feature extractor, the real images' statistics, and the floor.

For an embedded data set the extractor is a classifier trained here, on images of their own; the
reference and the floor are further images, disjoint from those and from the training set. The floor
is what real images score against the reference: no model can be expected below it.

Files committed: reference.npz, and extractor.safetensors when it was trained here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.data.images import Images, open_images
from harness.errors import BadInput
from harness.metrics import Reference, extract, load_extractor, measure
from harness.plan.stages import ReferenceStage
from harness.stages.encode import indexes
from harness.stages.work import Outcome, Work
from harness.store.provenance import versions

TRAINED_HERE = {"glyphs-cnn": "glyphs", "digits-cnn": "digits"}
METRICS = ("fd", "sfd", "is", "precision", "recall")


def run(settings: ReferenceStage, work: Work) -> Outcome:
    """Make or load the extractor, measure the real images with it."""
    extractor, about = _extractor(settings, work)
    if settings.extractor_sha256 not in (None, extractor.sha256):
        raise BadInput(
            f"the weights of {settings.extractor} have checksum {extractor.sha256}, "
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
        real, count = _images(settings, work, "reference", settings.images)
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
        real, count = _images(settings, work, "floor", settings.floor_images)
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
                    "metric": metric.name,
                    "value": metric.value,
                    "std": metric.std,
                    "of": "floor",
                    "floor": metric.value,
                    "reference_key": work.task.key,
                    "data": settings.data.name,
                    "image_size": settings.data.image_size,
                    "samples": count,
                    **metric_columns(metric.details, extractor.resize),
                }
            )
    return Outcome(
        {
            "extractor": extractor.name,
            "extractor_sha256": extractor.sha256,
            "resize": extractor.resize,
            "reference_sha256": reference.sha256,
            "images": reference.images,
            "source": reference.source,
            "floor": floor,
            "floor_images": settings.floor_images,
            **about,
        },
        {"metrics": rows},
    )


def metric_columns(details: dict[str, Any], resize: str) -> dict[str, Any]:
    """The record's columns that a metric's details fill; what has no column is `measured_with`."""
    names = (
        "std_method",
        "extractor",
        "extractor_sha256",
        "reference_images",
        "reference_sha256",
        "recall_images",
        "k",
        "split_size",
        "distance_dtype",
    )
    rest = {n: value for n, value in details.items() if n not in names}
    rest["versions"] = {n: v for n, v in versions().items() if n not in ("harness", "torch")}
    return {
        "resize": resize,
        **{n: details.get(n) for n in names},
        "measured_with": json.dumps(rest, sort_keys=True, separators=(",", ":")),
    }


def extractor_of(work: Work) -> Any:
    """The extractor behind the input `reference`: trained with it, or published weights."""
    known = work.inputs["reference"]
    trained = known.folder / "extractor.safetensors"
    weights = trained if "extractor.safetensors" in known.manifest["files"] else None
    return load_extractor(
        known.facts["extractor"], weights or work.place.extractor_weights, str(work.device)
    )


def _extractor(settings: ReferenceStage, work: Work) -> tuple[Any, dict[str, Any]]:
    name = settings.extractor
    if name not in TRAINED_HERE:
        return load_extractor(name, work.place.extractor_weights, str(work.device)), {}
    if settings.data.name != TRAINED_HERE[name]:
        raise BadInput(
            f"extractor {name} is trained on {TRAINED_HERE[name]}, the data are "
            f"{settings.data.name}: choose an extractor that fits"
        )
    from harness.data.digits import DEALT
    from harness.metrics import glyphs_cnn

    def load(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        images = _open(settings, work, split, count)
        return images.images, images.labels  # type: ignore[attr-defined]

    held_out = max(200, settings.extractor_images // 10)
    if name == "digits-cnn":
        held_out = DEALT["classifier-test"]  # there are no more
    trained = glyphs_cnn.train(
        *load("classifier", settings.extractor_images),
        seed=settings.seed,
        steps=settings.extractor_steps,
        name=name,
        held_out=load("classifier-test", held_out),
    )
    path = work.folder / "extractor.safetensors"
    glyphs_cnn.save(trained, path)
    return load_extractor(name, path, str(work.device)), {"accuracy": trained.accuracy}


def _open(settings: ReferenceStage, work: Work, split: str, count: int | None) -> Images:
    data = settings.data
    if data.source == "embedded":
        return open_images(
            data.name,
            data.source,
            split=split,
            image_size=data.image_size,
            channels=data.channels,
            count=count if count is not None else data.train_images,
            seed=data.seed,
        )
    folder_split = "val" if split == "floor" else "train"
    place = work.place.data_path
    return open_images(data.name, data.source, place, split=folder_split, index=indexes(work))


def _images(
    settings: ReferenceStage, work: Work, split: str, count: int | None
) -> tuple[Iterator[np.ndarray], int]:
    """Batches of real images, and how many: `count` drawn by the seed, or all there are."""
    images = _open(settings, work, split, count)
    chosen = np.arange(len(images))
    if count is not None and count < len(images):
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

"""The encode stage: every image through the autoencoder once, onto disk, resumable.

Each process writes its own shards in scratch; the main one checks that all are there.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from harness.components import Wanted, stored
from harness.components.source import Images, Source, Split
from harness.data.encoding import encode, encoder_of, latent_settings
from harness.data.images import checked_images
from harness.data.latents import Latents
from harness.data.shards import TarShards
from harness.data.writer import INDEX, LatentWriter
from harness.errors import BadInput
from harness.plan.stages import EncodeStage
from harness.plan.stages import Images as ImagesSettings
from harness.stages.work import Outcome, Stopped, Work
from harness.store import Store
from harness.store.results import EncodeResult

SHOWN = 5  # names in a message
READERS = 8  # threads that read and decode image files ahead of the encoder


def run(settings: EncodeStage, work: Work) -> Outcome:
    """Writes the shards in scratch (they survive a kill), then hands them over for the commit."""
    data, world = settings.data, work.world
    if not world.main:
        world.wait()  # the main one reads the headers of a million images, for all
    images = images_of(
        data, work, "train", data.train_images, fingerprint=data.fingerprint if world.main else None
    )
    source = source_of(data, work)
    if world.main:
        world.wait()
    fingerprint = world.share(images.fingerprint if world.main else None)
    expected = work.place.images_expected
    if expected is not None and len(images) != expected:
        raise BadInput(
            f"data {data.name!r} at {work.place.data_path} has {len(images):,} images, "
            f"data.train_images says {expected:,}: is it whole?"
        )
    if isinstance(images, TarShards):  # (a folder without images was refused as it was opened)
        refuse_empty_classes(
            images.labels,
            images.class_names,
            f"data.num_classes says {data.num_classes}; lower it, or give the missing tars",
        )
    codec = stored.read(
        "autoencoder", settings.model_dump(), places=work.place.own.get("autoencoder")
    )
    autoencoder = codec.load(weights=work.place.autoencoder_weights, device=str(work.device))
    if settings.autoencoder_sha256 not in (None, autoencoder.sha256):
        raise BadInput(
            f"the {codec.name} weights have checksum {autoencoder.sha256}, "
            f"the study asks for {settings.autoencoder_sha256}"
        )
    encoder = encoder_of(codec, autoencoder, data.image_size, data.channels)
    shape = latent_settings(
        images, encoder, data.image_size, data.channels, fingerprint=fingerprint
    )
    folder = work.scratch / "latents"
    stopped: Stopped | None = None
    try:
        encode(
            images,
            encoder,
            folder,
            shape,
            rank=world.rank,
            world=world.size,
            max_corrupt=work.place.max_corrupt,
            threads=0 if source.made else READERS,
            device=work.device,
            progress=lambda done, total: work.progress(done=done, total=total, unit="images"),
        )
    except Stopped as asked:
        stopped = asked
    if not world.all(stopped is None):
        raise stopped or Stopped("another process was asked to; all go on from their shards")
    if not world.main:
        return Outcome(None)
    writer = LatentWriter(folder, shape)
    index = writer.finish(max_corrupt=work.place.max_corrupt)
    latents = Latents.open(folder)
    if not source.made:  # which may be smaller than its number of classes
        try:
            refuse_empty_classes(
                latents.labels,
                images.class_names,
                f"of {len(index['corrupt'])} images that cannot be read (all are listed in "
                f"{folder / INDEX}) some were theirs: repair them, or remove the classes",
            )
        except BadInput:
            writer.forget_corrupt()  # a repaired file may be as long as the damaged one was
            raise
    if skipped := [entry["path"] for entry in index["corrupt"]]:
        committed = Store(work.scratch.parent.parent).folder(work.task.kind, work.task.key)
        print(
            f"skipped {len(skipped):,} unreadable images: {', '.join(skipped[:SHOWN])}"
            f"{', ...' if len(skipped) > SHOWN else ''} "
            f"(all are listed in {committed / 'latents' / INDEX})",
            flush=True,
        )
    os.rename(folder, work.folder / "latents")
    return Outcome(
        EncodeResult(
            data=data.name,
            image_size=data.image_size,
            count=latents.count,
            shape=tuple(latents.shape),
            num_classes=latents.num_classes,
            sha256=latents.sha256,
            autoencoder=codec.name,
            autoencoder_sha256=autoencoder.sha256,
            fingerprint=fingerprint,
            corrupt=len(index["corrupt"]),
        )
    )


def source_of(data: ImagesSettings, work: Work) -> Source:
    """The data source that a stage's settings name."""
    found: Source = stored.read("source", data.model_dump(), places=work.place.own.get("source"))
    return found


def images_of(
    data: ImagesSettings,
    work: Work,
    split: Split,
    count: int | None,
    *,
    fingerprint: str | None = None,
    check_classes: bool = True,
) -> Images:
    """The images of a split. Raises BadInput when they are not as the settings say."""
    wanted = Wanted(
        name=data.name,
        path=work.place.data_path,
        split=split,
        image_size=data.image_size,
        channels=data.channels,
        num_classes=data.num_classes if check_classes else None,
        count=count,
        seed=data.seed,
        index=indexes(work),
    )
    return checked_images(
        source_of(data, work).open(wanted),
        wanted.path or f"the embedded set {data.name}",
        num_classes=wanted.num_classes,
        fingerprint=fingerprint,
    )


def refuse_empty_classes(labels: np.ndarray, class_names: list[str], advice: str) -> None:
    """Raise BadInput, naming them, if classes have no image.

    Sampling draws the labels of all classes alike: theirs would be embeddings never trained.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    empty = [class_names[label] for label in np.flatnonzero(counts == 0)]
    if empty:
        raise BadInput(
            f"{len(empty)} of {len(class_names)} classes have no image "
            f"({', '.join(empty[:SHOWN])}{', ...' if len(empty) > SHOWN else ''}), so no model "
            f"could learn them and samples of them would mean nothing; {advice}"
        )


def indexes(work: Work) -> Path:
    """Where what the headers of tars said is kept, for all stages of these results."""
    return work.scratch.parent.parent / "indexes"

"""The encode stage: every image through the autoencoder once, onto disk, resumable.

Each process writes its own shards in scratch; the main one checks that all are there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.components import Wanted, stored
from harness.components.source import Images, Source, Split, checked_images, refuse_empty_classes
from harness.data import held_out, moments
from harness.data.encoding import encode, encoder_of, latent_settings
from harness.data.latents import Latents
from harness.data.writer import INDEX, LatentSettings, LatentWriter
from harness.errors import BadInput
from harness.plan.reads import OF_KIND
from harness.plan.stages import EncodeStage
from harness.plan.stages import Images as ImagesSettings
from harness.stages import files_read
from harness.stages.work import Outcome, Stopped, Work
from harness.store import Store
from harness.store.results import EncodeResult

SHOWN = 5  # names in a message
READERS = 8  # threads that read and decode image files ahead of the encoder


def run(settings: EncodeStage, work: Work) -> Outcome:
    """Writes the shards in scratch (they survive a kill), then hands them over for the commit."""
    data = settings.data
    opened = _open(data, work)
    codec, autoencoder = _autoencoder(settings, work)
    encoder = encoder_of(codec, autoencoder, data.image_size, data.channels)
    shape = latent_settings(
        opened.images, encoder, data.image_size, data.channels, fingerprint=opened.fingerprint
    )
    folder = work.scratch / "latents"
    _encode(opened, encoder, folder, shape, work)
    if not work.world.main:
        return Outcome(None)
    index, latents = _finished(opened, folder, shape, work)
    files_read.finish(work, opened.source, opened.files, "latents")
    found = index["moments"]
    far = moments.far(**found) if autoencoder.sha256 is not None and found is not None else None
    if far is not None:
        print(far, flush=True)
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
            fingerprint=opened.fingerprint,
            corrupt=len(index["corrupt"]),
            stored=index["stored"],
            passed_over=dict(getattr(held_out.whole(opened.images), "passed_over", {})),
            moments=found,
        )
    )


@dataclass(frozen=True)
class _Opened:
    """The images to encode, as they were found."""

    images: Images
    source: Source
    files: files_read.Lists  # of the main process
    fingerprint: str  # of the whole set, what is held out included


def _open(data: ImagesSettings, work: Work) -> _Opened:
    """Open and check the images, the main process first. Raises BadInput for others than said."""
    world = work.world
    if not world.main:
        world.wait()  # the main one reads the headers of a million images, for all
    images = images_of(
        data, work, "train", data.train_images, fingerprint=data.fingerprint if world.main else None
    )
    source = source_of(data, work)
    files = files_read.begin(work, source, OF_KIND["encode"], "latents") if world.main else {}
    if world.main:
        for note in getattr(held_out.whole(images), "notes", ()):
            print(note, flush=True)
        world.wait()
    whole = held_out.whole(images)
    fingerprint = world.share(whole.fingerprint if world.main else None)
    expected = work.place.images_expected
    if expected is not None and len(whole) != expected:
        raise BadInput(
            f"data {data.name!r} at {work.place.data_path} has {len(whole):,} images, "
            f"data.train_images says {expected:,}: is it complete?"
        )
    labels = getattr(images, "labels", None)
    if labels is not None and not source.made:  # known before an image is opened
        refuse_empty_classes(
            labels,
            images.class_names,
            f"data.num_classes says {data.num_classes}; lower it, or give the missing images",
        )
    return _Opened(images, source, files, fingerprint)


def _autoencoder(settings: EncodeStage, work: Work) -> tuple[Any, Any]:
    """The component and what it loads. Raises BadInput for weights that the study does not mean."""
    codec = stored.read(
        "autoencoder", settings.model_dump(), places=work.place.own.get("autoencoder")
    )
    autoencoder = codec.load(weights=work.place.autoencoder_weights, device=str(work.device))
    if settings.autoencoder_sha256 not in (None, autoencoder.sha256):
        raise BadInput(
            f"the {codec.name} weights have checksum {autoencoder.sha256}, "
            f"the study asks for {settings.autoencoder_sha256}"
        )
    return codec, autoencoder


def _encode(opened: _Opened, encoder: Any, folder: Path, shape: LatentSettings, work: Work) -> None:
    """This process's shards. Raises Stopped, once all processes know that one was asked to."""
    world = work.world
    stopped: Stopped | None = None
    try:
        encode(
            opened.images,
            encoder,
            folder,
            shape,
            rank=world.rank,
            world=world.size,
            max_corrupt=work.place.max_corrupt,
            threads=0 if opened.source.made else READERS,
            device=work.device,
            progress=_progress(work),
        )
        files_read.checksums(work, opened.source, OF_KIND["encode"])
    except Stopped as asked:
        stopped = asked
    if not world.all(stopped is None):
        raise stopped or Stopped("another process was asked to; all go on from their shards")


def _finished(
    opened: _Opened, folder: Path, shape: LatentSettings, work: Work
) -> tuple[dict[str, Any], Latents]:
    """The index over all processes' shards, and the latents. Raises BadInput for empty classes."""
    writer = LatentWriter(folder, shape)
    index = writer.finish(max_corrupt=work.place.max_corrupt)
    latents = Latents.open(folder)
    if not opened.source.made:  # which may be smaller than its number of classes
        try:
            refuse_empty_classes(
                latents.labels,
                opened.images.class_names,
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
    return index, latents


def _progress(work: Work) -> Callable[[int, int], None]:
    """Tells how many images are encoded, and how fast."""
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        rate = done / max(time.monotonic() - began, 1e-9)
        work.progress(done=done, total=total, unit="images", images_per_second=rate)

    return tell


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
    source, path = source_of(data, work), work.place.data_path
    apart = held_out.is_held_out(split, data.reference_held_out)
    if data.held_out is not None and not source.made:
        split = "train"  # a rule or a folder says what is held out, not the source
        if isinstance(data.held_out, str):
            path = work.place.held_out_path if apart else path
    wanted = Wanted(
        name=data.name,
        path=path,
        split=split,
        image_size=data.image_size,
        channels=data.channels,
        num_classes=data.num_classes if check_classes else None,
        count=count,
        seed=data.seed,
        index=indexes(work),
    )
    images = checked_images(
        source.open(wanted),
        wanted.path or f"the embedded set {data.name}",
        num_classes=wanted.num_classes,
        fingerprint=fingerprint,
    )
    if isinstance(data.held_out, float):
        return held_out.part(images, data.held_out, data.seed, apart)
    return images


def indexes(work: Work) -> Path:
    """Where the contents of tar headers are kept, for all stages of these results."""
    return work.scratch.parent.parent / "indexes"

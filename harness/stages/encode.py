"""The encode stage: every image through the autoencoder once, onto disk, resumable.

Each process writes its own shards in scratch; the main one checks that all are there.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness import autoencoders
from harness.data.encoding import encode, latent_settings
from harness.data.images import open_images
from harness.data.latents import Latents
from harness.data.writer import LatentWriter
from harness.errors import BadInput
from harness.plan.stages import EncodeStage
from harness.stages.work import Outcome, Stopped, Work

READERS = 8  # threads that read and decode image files ahead of the encoder


def run(settings: EncodeStage, work: Work) -> Outcome:
    """Writes the shards in scratch (they survive a kill), then hands them over for the commit."""
    data, world = settings.data, work.world
    if not world.main:
        world.wait()  # the main one reads the headers of a million images, for all
    images = open_images(
        data.name,
        data.source,
        work.place.data_path,
        image_size=data.image_size,
        channels=data.channels,
        count=data.train_images,
        seed=data.seed,
        num_classes=data.num_classes,
        fingerprint=data.fingerprint if world.main else None,
        index=indexes(work),
    )
    if world.main:
        world.wait()
    fingerprint = world.share(images.fingerprint if world.main else None)
    expected = work.place.images_expected
    if expected is not None and len(images) != expected:
        raise BadInput(
            f"data {data.name!r} at {work.place.data_path} has {len(images):,} images, "
            f"data.train_images says {expected:,}: is it whole?"
        )
    autoencoder = autoencoders.load(
        settings.autoencoder, weights=work.place.autoencoder_weights, device=str(work.device)
    )
    if settings.autoencoder_sha256 not in (None, autoencoder.sha256):
        raise BadInput(
            f"the {settings.autoencoder} weights have checksum {autoencoder.sha256}, "
            f"the study asks for {settings.autoencoder_sha256}"
        )
    shape = latent_settings(
        images, autoencoder, data.image_size, data.channels, fingerprint=fingerprint
    )
    folder = work.scratch / "latents"
    stopped: Stopped | None = None
    try:
        encode(
            images,
            autoencoder,
            folder,
            shape,
            rank=world.rank,
            world=world.size,
            max_corrupt=work.place.max_corrupt,
            threads=0 if data.source == "embedded" else READERS,
            device=work.device,
            progress=lambda done, total: work.progress(done=done, total=total, unit="images"),
        )
    except Stopped as asked:
        stopped = asked
    if not world.all(stopped is None):
        raise stopped or Stopped("another process was asked to; all go on from their shards")
    if not world.main:
        return Outcome({})
    index = LatentWriter(folder, shape).finish(max_corrupt=work.place.max_corrupt)
    latents = Latents.open(folder)
    os.rename(folder, work.folder / "latents")
    return Outcome(
        {
            "count": latents.count,
            "shape": list(latents.shape),
            "num_classes": latents.num_classes,
            "sha256": latents.sha256,
            "fingerprint": fingerprint,
            "autoencoder": settings.autoencoder,
            "autoencoder_sha256": autoencoder.sha256,
            "corrupt": len(index["corrupt"]),
            "data": data.name,
            "image_size": data.image_size,
        }
    )


def indexes(work: Work) -> Path:
    """Where what the headers of tars said is kept, for all stages of these results."""
    return work.scratch.parent.parent / "indexes"

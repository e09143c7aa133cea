"""The ceiling stage: what decoded noise scores against the reference, measured as samples are.

N(0, 1) latents through the decoder: the images of a model that has learned nothing of the data. The
noise of image i is what sample i of the same seed begins with.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from harness import autoencoders
from harness.components import stored
from harness.components.autoencoder import Autoencoder as Component
from harness.diffusion import SampleNoise
from harness.errors import BadInput
from harness.plan.reads import OF_KIND
from harness.plan.stages import CeilingStage, ReferenceStage
from harness.stages import files_read
from harness.stages.beside import measured_beside
from harness.stages.encode import source_of
from harness.stages.real_images import rgb
from harness.stages.reference import component_of
from harness.stages.work import Outcome, Work
from harness.store.results import CeilingResult


def run(settings: CeilingStage, work: Work) -> Outcome:
    """One pass of the reference's extractor over decoded noise, for all metrics."""
    made_with = ReferenceStage.model_validate(work.inputs["reference"].manifest.settings)
    data = made_with.data
    source, roles = source_of(data, work), _roles(made_with, work)
    files = files_read.begin(work, source, roles)
    codec: Component = stored.read(
        "autoencoder", settings.model_dump(), places=work.place.own.get("autoencoder")
    )
    autoencoder = codec.load(
        decoder=settings.decoder,
        weights=work.place.autoencoder_weights,
        device=str(work.device),
        image_channels=data.channels,
    )
    if settings.autoencoder_sha256 not in (None, autoencoder.sha256):
        raise BadInput(
            f"the {codec.name} weights here have an encoder of checksum {autoencoder.sha256}, the "
            f"study asks (autoencoder.sha256) for {settings.autoencoder_sha256}"
        )

    def decoded() -> Iterator[np.ndarray]:
        shape = codec.latent_shape(data.image_size, data.channels)
        size = min(work.place.batch_size, settings.images)
        for start in range(0, settings.images, size):
            # always a whole batch: the last images are those of any other batch
            noise = SampleNoise(settings.seed, range(start, start + size), shape, 0).initial()
            with torch.inference_mode():
                images = autoencoders.decode(autoencoder, noise.to(work.device), data.image_size)
            yield rgb(images.permute(0, 2, 3, 1).cpu().numpy())[: settings.images - start]

    shared = {
        "of": "ceiling",
        "data": data.name,
        "image_size": data.image_size,
        "samples": settings.images,
        "autoencoder": codec.name,
        "decoder": settings.decoder,
        "sampling_seed": settings.seed,
    }
    rows, absent = measured_beside(settings, work, decoded(), settings.images, shared)
    files_read.checksums(work, source, files)
    files_read.finish(work, source, files)
    return Outcome(CeilingResult(settings.images, absent), {"metrics": rows})


def _roles(reference: ReferenceStage, work: Work) -> list[str]:
    """The files from outside that are read. Weights of a trained extractor are the reference's."""
    trained = component_of(reference, work).trained
    return [role for role in OF_KIND["ceiling"] if role != "extractor" or not trained]

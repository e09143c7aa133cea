"""The sample stage: images from one of a checkpoint's averages, in ADM's npz format (`arr_0`).

Noise and label of sample i depend on (seed, i) alone, so the batch size, the number of processes
and a resume change nothing but rounding. Each process draws consecutive batches and keeps them in
scratch as it goes; the main one puts them together. Every batch has the same shape: the last is
padded with further samples, which are dropped.

Files committed: samples.npz (arr_0 (N, H, W, C) uint8 and labels (N,)); or with images: folder
PNGs in images/; or with images: none features.npz, made by the reference's extractor as the samples
are decoded, and samples.npz with the first few only. And strip.npz, the first samples once more,
which pruning leaves: what the report shows of each milestone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness import autoencoders
from harness.autoencoders.loading import Autoencoder
from harness.components import Autoencoder as AutoencoderComponent
from harness.components import Family, Input, Objective, Sampler, stored
from harness.components.family import of_architecture
from harness.components.proportions import class_counts
from harness.data.encoded_labels import labels_of
from harness.diffusion import guided
from harness.diffusion.draws import SampleNoise, sample_labels
from harness.diffusion.feeding import host_threads
from harness.errors import BadInput, HarnessError
from harness.plan.cost import guided as guided_evaluations
from harness.plan.cost import sampling_gflops
from harness.plan.stages import SampleStage
from harness.stages import samples
from harness.stages.averages import weights_of
from harness.stages.columns import SAMPLING, recorded
from harness.stages.real_images import rgb
from harness.stages.reference import extractor_of
from harness.stages.samples import Arrays
from harness.stages.work import Outcome, Stopped, Work
from harness.store.results import SampleResult, TrainResult

SAVE_S = 60.0  # seconds of sampling worth keeping over a kill
SAVE_BYTES = 1 << 28  # and how much of it to hold in memory


def run(settings: SampleStage, work: Work) -> Outcome:
    """Draw settings.samples images."""
    checkpoint, world = work.inputs["checkpoint"], work.world
    trained, made = checkpoint.result(TrainResult), _parts(settings, work)
    if trained.autoencoder != made.codec.name:
        raise BadInput(
            f"the checkpoint was trained on {trained.autoencoder} latents, "
            f"the study decodes with {made.codec.name}"
        )
    autoencoder = _autoencoder(settings, work, trained.autoencoder_sha256)
    decoder_sha256 = autoencoder.decoder_sha256
    size = min(work.place.batch_size, settings.samples)
    kept = world.share(
        samples.finished(work.scratch, settings.samples, decoder_sha256) if world.main else None
    )
    batches = samples.missing(kept, settings.samples, size)
    batches = batches[slice(*world.rows(len(batches)))]
    labels = _labels(settings, work, made.given.num_classes)
    finished = not batches or _draw_all(settings, work, autoencoder, labels, batches, size)
    if not world.all(finished):
        raise Stopped("samples drawn so far are kept")
    if not world.main:
        return Outcome(None)

    parts = samples.finished(work.scratch, settings.samples, decoder_sha256)
    if samples.missing(parts, settings.samples, size):
        raise HarnessError(f"samples are missing in {work.scratch}; run again to draw them")
    _write(settings, work, parts, labels(np.arange(settings.samples)).numpy())
    return Outcome(
        SampleResult(
            columns={**trained.columns, **_columns(settings, made, trained.gflops)},
            checkpoint_key=work.task.inputs["checkpoint"],
            samples=settings.samples,
            images=settings.images,
            autoencoder_sha256=autoencoder.sha256,
            decoder_sha256=decoder_sha256,
        )
    )


Labels = Callable[[np.ndarray], torch.Tensor]  # sample indices (N,) to labels (N,) int64


def _labels(settings: SampleStage, work: Work, classes: int) -> Labels:
    """The labels of samples: of all classes alike, or as the training images have them."""
    counts = None
    if settings.labels is not None:
        counts = class_counts(labels_of(work.inputs["data"].folder / "latents"), classes)
    return lambda indices: sample_labels(settings.seed, indices, classes, counts)


def _columns(settings: SampleStage, made: _Parts, gflops: float) -> dict[str, Any]:
    """The columns of the records that say how samples were drawn."""
    steps, scale, interval = (
        settings.sampling_steps,
        settings.guidance_scale,
        settings.guidance_interval,
    )
    low, high = interval or (None, None)
    tf32 = settings.tf32 and settings.precision == "float32"
    return {
        **recorded(settings, SAMPLING),
        "sampler": made.sampler.name,
        "sampler_settings": _more(made.sampler),
        "guidance_low": low,
        "guidance_high": high,
        "sampling_precision": "tf32" if tf32 else settings.precision,
        "sampling_gflops": sampling_gflops(
            gflops,
            made.sampler.evaluations(made.objective, steps),
            scale,
            guided_evaluations(made.sampler, made.objective, steps, interval),
        ),
        "sampling_seed": settings.seed,
    }


def _more(sampler: Sampler) -> dict[str, Any] | None:
    """The sampler's settings that have no column of their own; None without any."""
    return {k: v for k, v in sampler.keyed().items() if k not in ("eta", "clip")} or None


@dataclass(frozen=True)
class _Parts:
    """The components that samples are drawn with."""

    family: Family
    given: Input
    objective: Objective
    sampler: Sampler
    codec: AutoencoderComponent


def _parts(settings: SampleStage, work: Work) -> _Parts:
    trained, own = work.inputs["checkpoint"].result(TrainResult), work.place.own
    family, given = of_architecture(trained.architecture)
    stage = settings.model_dump()
    return _Parts(
        family,
        given,
        stored.read("objective", trained.trained_for, places=own.get("objective")),
        stored.read("sampler", stage, places=own.get("sampler")),
        stored.read("autoencoder", stage, places=own.get("autoencoder")),
    )


def _autoencoder(settings: SampleStage, work: Work, made_with: str | None) -> Autoencoder:
    """The autoencoder to decode with; made_with: checksum of the encoder behind the checkpoint.

    Any decoder does that goes with this encoder (paper, Table 4). Raises BadInput for another.
    """
    parts = _parts(settings, work)
    autoencoder: Autoencoder = parts.codec.load(
        decoder=settings.decoder,
        weights=work.place.autoencoder_weights,
        device=str(work.device),
        image_channels=parts.given.channels,
    )
    for wanted, whose in (
        (made_with, "the checkpoint was trained on latents of the encoder"),
        (settings.autoencoder_sha256, "the study asks (autoencoder.sha256) for the encoder"),
    ):
        if wanted not in (None, autoencoder.sha256) and not _beside(settings, work, wanted):
            raise BadInput(
                f"the {parts.codec.name} weights ({settings.decoder}) in "
                f"{work.place.autoencoder_weights or 'the hub'} have an encoder of checksum "
                f"{autoencoder.sha256}, {whose} {wanted}, and its latents mean nothing to "
                "another's decoder: give autoencoder.weights the folder of that autoencoder, or, "
                "to encode and train anew with this one, set autoencoder.sha256 to its checksum"
            )
    return autoencoder


def _beside(settings: SampleStage, work: Work, encoder_sha256: str | None) -> bool:
    """Does a fine-tuned decoder lie beside the original whose encoder made the latents?

    The fine-tuned decoder brings a copy of that encoder, which may differ in its last bits.
    """
    if settings.decoder == "original":
        return False
    try:
        original = _parts(settings, work).codec.load(
            decoder="original", weights=work.place.autoencoder_weights
        )
    except HarnessError:
        return False
    return original.sha256 == encoder_sha256  # type: ignore[no-any-return]


def _draw_all(
    settings: SampleStage,
    work: Work,
    autoencoder: Autoencoder,
    labels: Labels,
    batches: list[range],
    size: int,
) -> bool:
    """This process's batches, kept in scratch. False if it was asked to stop before the last."""
    draw, describe = _sampler(settings, work, autoencoder, labels), _describer(settings, work)
    fresh: list[Arrays] = []
    first = batches[0].start
    total, done = sum(map(len, batches)), 0
    began = saved = time.monotonic()
    for i, batch in enumerate(batches):
        images = draw(range(batch.start, batch.start + size))[: len(batch)]
        fresh.append(describe(batch, images))
        done += len(batch)
        now = time.monotonic()
        work.progress(done=done, total=total, unit="images", images_per_second=done / (now - began))
        last = i + 1 == len(batches)
        held = sum(a.nbytes for arrays in fresh for a in arrays.values())
        gap = not last and batches[i + 1].start != batch.stop  # a part is consecutive
        stopping = not last and work.stopping()
        if last or gap or stopping or now - saved > SAVE_S or held > SAVE_BYTES:
            joined = {
                k: np.concatenate([arrays[k] for arrays in fresh if k in arrays]) for k in fresh[0]
            }
            samples.keep(work.scratch, first, batch.stop, joined, autoencoder.decoder_sha256)
            fresh, saved = [], now
            first = batch.stop if last else batches[i + 1].start
            if stopping:
                return False
    return True


def _sampler(
    settings: SampleStage, work: Work, autoencoder: Autoencoder, labels: Labels
) -> Callable[[range], np.ndarray]:
    """Sample indices to images, uint8 (N, H, W, C)."""
    torch.backends.cuda.matmul.allow_tf32 = settings.tf32
    torch.backends.cudnn.allow_tf32 = settings.tf32
    checkpoint, device = work.inputs["checkpoint"], work.device
    parts = _parts(settings, work)
    objective, given = parts.objective, parts.given
    model: Any = parts.family.build(given)
    model.load_state_dict(weights_of(checkpoint, settings.ema, settings.ema_length))
    model.to(device).eval().requires_grad_(False)
    if work.place.compile:
        model = torch.compile(model)
    denoise = guided(
        model,
        settings.guidance_scale,
        settings.guidance_channels,
        settings.guidance_interval,
        null_label=given.num_classes,
        own_time=objective.own_time,
    )
    shape = (given.channels, given.side, given.side)

    # On a CPU the network leaves threads no core.
    threads = host_threads() if device.type == "cuda" else 0

    def draw(indices: range) -> np.ndarray:
        noise = SampleNoise(settings.seed, indices, shape, threads)
        y = labels(np.asarray(indices)).to(device)
        z = noise.initial().to(device)
        bf16 = settings.precision == "bf16"
        precision: Any = (
            torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()
        )
        with torch.inference_mode(), precision:
            x = parts.sampler.sample(objective, denoise, z, settings.sampling_steps, noise, y=y)
        if not bool(torch.isfinite(x).all()):
            raise HarnessError(
                f"samples {indices.start} to {indices.stop - 1} are not finite: the checkpoint is "
                "not usable, nothing is recorded for it"
            )
        with torch.inference_mode():
            images = autoencoders.decode(autoencoder, x.float())
        return images.permute(0, 2, 3, 1).cpu().numpy()  # type: ignore[no-any-return]

    return draw


def _describer(settings: SampleStage, work: Work) -> Callable[[range, np.ndarray], Arrays]:
    """Images to what is kept of them: themselves, or their features."""
    if settings.images != "none":
        return lambda batch, images: {"images": images}
    from harness.metrics import extract

    extractor = extractor_of(work)

    def features(batch: range, images: np.ndarray) -> Arrays:
        found = extract(rgb(images), extractor, batch_size=len(images))
        arrays = {
            name: getattr(found, name)
            for name in ("pool", "spatial", "probabilities")
            if getattr(found, name) is not None
        }
        return {**arrays, "images": images} if batch.start < samples.SHOWN else arrays

    return features


def _write(
    settings: SampleStage, work: Work, parts: list[samples.Part], labels: np.ndarray
) -> None:
    samples.write_strip(work.folder, samples.merge(parts, "images"))
    images: Iterable[np.ndarray] = samples.merge(parts, "images")
    if settings.images == "folder":
        samples.write_folder(work.folder / "images", images)
        samples.write_npz(work.folder / "labels.npz", {"labels": (labels.shape, [labels])})
        return
    if settings.images == "none":
        with np.load(parts[0].path, allow_pickle=False) as content:
            shapes = {k: content[k].shape[1:] for k in content.files if k != "images"}
        samples.write_npz(
            work.folder / "features.npz",
            {k: ((len(labels), *s), samples.merge(parts, k)) for k, s in shapes.items()},
        )
        first = np.concatenate([p.read("images") for p in parts if p.start < samples.SHOWN])
        first = first[: samples.SHOWN]
        images, labels = [first], labels[: len(first)]
    row = parts[0].read("images").shape[1:]
    samples.write_npz(
        work.folder / "samples.npz",
        {"arr_0": ((len(labels), *row), images), "labels": (labels.shape, [labels])},
    )

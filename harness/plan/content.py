"""The content of each stage's key: its settings as JSON values, before `keys.canonical`.

A function of a run's sections each. Nothing here knows of plans.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.components.base import Component, uses
from harness.plan import keys
from harness.plan.stages import Recipe
from harness.spec.schema import (
    DataSettings,
    EvaluationSettings,
    GuidanceSettings,
    ReferenceSettings,
)
from harness.spec.study import Run

# A file that a reference is made of is known by its checksum, where the study gives one, else by
# its name, wherever it lies. ADM's own files are what statistics are taken to be.
ADM_STATISTICS = ("VIRTUAL_imagenet256_labeled.npz", "VIRTUAL_imagenet512.npz")


def with_versions(settings: dict[str, Any], *components: Component) -> dict[str, Any]:
    """A stage's settings with the versions of the components that a key must name, if any."""
    named = uses(components)
    return {**settings, "components": named} if named else settings


def images(data: DataSettings, train: bool) -> dict[str, Any]:
    """The settings that determine a set of images, as keys hold them.

    train: of the training images, else of the reference's.
    """
    source: Any = data.source
    out = {
        k: getattr(data, k)
        for k in ("name", "fingerprint", "image_size", "channels", "num_classes", "seed")
    }
    made = train and source.made  # files are read whole: the number is only checked
    out["train_images"] = data.train_images if made else None
    if isinstance(data.held_out, float):
        out["held_out"] = data.held_out
    return {**out, "source": source.content()}


def encode(run: Run) -> dict[str, Any]:
    """Images through an autoencoder."""
    settings = {
        "data": images(run.data, train=True),
        "autoencoder": run.codec.content(),
        "autoencoder_sha256": run.autoencoder.sha256,
    }
    source: Any = run.data.source
    return with_versions(settings, source, run.codec)


def recipe(train: Any, horizon: bool) -> dict[str, Any]:
    """How a model is trained, as a key writes it; `horizon`: with how long, where that matters."""
    own = (name for name, field in Recipe.model_fields.items() if field.is_required())
    first, *more = train.emas
    found = {**{name: getattr(train, name) for name in own}, "ema": first}
    if more:
        found["more_ema"] = sorted(more, reverse=True)
    if train.ema_snapshots is not None:
        found["ema_snapshots"] = keys.content(train.ema_snapshots)
    schedule = train.schedule.key_fields("schedule")
    if horizon and schedule and train.schedule.horizon_matters:
        schedule["horizon"] = train.steps
    return {**found, **train.optimizer.key_fields("optimizer"), **schedule}


def reference(reference: ReferenceSettings, run: Run) -> dict[str, Any]:
    """The content of a reference: the images that samples are compared with."""
    extractor: Any = reference.extractor
    source: Any = run.data.source
    whole_set = reference.images is None and reference.statistics_sha256 is None
    # Without these, two references shared one key. They are written only where they tell
    # references apart, so that all other keys stay as they were.
    newer: dict[str, Any] = {}
    if reference.statistics is not None:
        name = Path(reference.statistics).name
        if reference.statistics_sha256 is None and name not in ADM_STATISTICS:
            newer["statistics"] = name
    elif whole_set and not source.made:
        newer["from_images"] = True
    if extractor.own_weights and reference.extractor_sha256 is None:
        newer["extractor_weights"] = Path(reference.extractor_weights or "").name
    if run.data.channels == 1 and not source.made:
        newer["gray"] = True  # before, colours stayed, and gray samples were compared with them
    content = {**keys.content(reference), "extractor": extractor.content()}
    data = images(run.data, train=whole_set)
    if isinstance(run.data.held_out, str):  # in training it changes nothing
        data["held_out"] = Path(run.data.held_out).name
    if reference.held_out:  # said here, so that older keys do not change
        data["reference_held_out"] = True
    return with_versions({**newer, "data": data, **content}, source, extractor)


def floor_images(evaluation: EvaluationSettings, reference: ReferenceSettings) -> int:
    """The number of real images of an evaluation's floor; 0: it has none.

    As many as samples, where the study holds out that many: a distance depends on the number.
    """
    if evaluation.floor_images is not None:
        return evaluation.floor_images
    return min(reference.floor_images, evaluation.samples)


def floor(evaluation: EvaluationSettings, images: int) -> dict[str, Any]:
    """The content of a floor: so many real images, measured as this evaluation measures."""
    return {
        **measured(evaluation),
        "split": "floor",
        "images": images,
        # a whole chunk, where there are fewer images than in one
        "split_size": min(evaluation.split_size, images),
    }


def subset(evaluation: EvaluationSettings, images: int) -> dict[str, Any]:
    """The first samples of a set, as many as the floor has images, measured as the floor is."""
    found = floor(evaluation, images)
    del found["split"]
    return found


def reconstruction(evaluation: EvaluationSettings, images: int, run: Run) -> dict[str, Any]:
    """A floor whose images go through the autoencoder first: it bounds models on its latents."""
    metrics: Any = evaluation.metrics
    return with_versions(
        {
            **floor(evaluation, images),
            "autoencoder": run.codec.content(),
            "autoencoder_sha256": run.autoencoder.sha256,
            "decoder": evaluation.decoder or run.autoencoder.decoder,
        },
        *metrics,
        run.codec,
    )


def ceiling(evaluation: EvaluationSettings, run: Run) -> dict[str, Any]:
    """The content of a ceiling: decoded noise, measured as this evaluation measures."""
    return {
        **measured(evaluation, run.codec),
        "images": evaluation.samples,
        "seed": evaluation.seed,
        "autoencoder": run.codec.content(),
        "autoencoder_sha256": run.autoencoder.sha256,
        "decoder": evaluation.decoder or run.autoencoder.decoder,
    }


def measured(evaluation: EvaluationSettings, *others: Component) -> dict[str, Any]:
    """How an evaluation measures, as keys say it; others: components that it also takes."""
    metrics: Any = evaluation.metrics
    return with_versions(
        {
            "metrics": [metric.content() for metric in metrics],
            "k": evaluation.k,
            "split_size": evaluation.split_size,
            "subsets": evaluation.subsets,
        },
        *metrics,
        *others,
    )


def sample(
    evaluation: EvaluationSettings, sampler: Any, n: int, guidance: GuidanceSettings, run: Run
) -> dict[str, Any]:
    """How samples are drawn, in n steps."""
    guided = guidance.scale != 1.0
    # Settings that came after the first results were recorded: written where they change what is
    # drawn, so that the older keys stand.
    newer: dict[str, Any] = {}
    if guided and guidance.interval is not None:
        newer["guidance_interval"] = guidance.interval
    if evaluation.ema is not None and run.train is not None and evaluation.ema != run.train.emas[0]:
        newer["ema"] = evaluation.ema
    if evaluation.ema_length is not None:
        newer["ema_length"] = evaluation.ema_length
    if evaluation.labels != "uniform":
        newer["labels"] = evaluation.labels
    return with_versions(
        {
            **newer,
            **sampler.key_fields("sampler"),
            "sampling_steps": n,
            "guidance_scale": guidance.scale,
            "guidance_channels": guidance.channels if guided else None,
            "samples": evaluation.samples,
            "seed": evaluation.seed,
            "autoencoder": run.codec.content(),
            "autoencoder_sha256": run.autoencoder.sha256,
            "decoder": evaluation.decoder or run.autoencoder.decoder,
            "precision": evaluation.precision,
            "tf32": evaluation.tf32,
            "images": evaluation.keep_images,
        },
        sampler,
        run.codec,
    )

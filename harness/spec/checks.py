"""What no single section of a study can know: whether its sections go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.autoencoders import properties
from harness.errors import BadInput
from harness.models import zoo
from harness.spec.explain import nearest
from harness.spec.schema import EvaluationSettings, GuidanceSettings, StudySettings
from harness.spec.source import Path_, Source

if TYPE_CHECKING:
    from harness.spec.study import Run

Problem = tuple[Path_, str]  # the field it is about, and the sentence


def cross_checks(settings: StudySettings, runs: Sequence[Run], where: Source) -> list[str]:
    """Every problem, as "FILE:LINE: sentence"."""
    found = [*_inputs(runs), *_baselines(settings), *_evaluations(settings, runs)]
    return [f"{where.place(path)}: {sentence}" for path, sentence in found]


def _inputs(runs: Sequence[Run]) -> Iterator[Problem]:
    """Patches that fit the image, images and a decoder that fit the autoencoder."""
    alike = {(id(r.model), id(r.data), id(r.autoencoder)): r for r in runs}
    for run in alike.values():
        name, size = run.autoencoder.name, run.data.image_size
        factor = properties.factor(name)
        try:
            properties.channels(name, run.data.channels)
        except BadInput as error:
            yield ("data", "channels"), f"data.channels is {run.data.channels}: {error}"
        if run.autoencoder.decoder not in properties.decoder_names(name):
            field = ("autoencoder", "decoder")
            yield field, f"{'.'.join(field)} {_no_decoder(run.autoencoder.decoder, name)}"
        if size % factor:
            yield (
                ("data", "image_size"),
                f"data.image_size {size} is not divisible by the {name} autoencoder's factor "
                f"{factor}",
            )
        elif run.model.patch_size is not None and (size // factor) % run.model.patch_size:
            yield (
                ("model",),
                f"{run.model.label}: patch size {run.model.patch_size} does not divide the model's "
                f"input of {size // factor} (image {size}, autoencoder factor {factor})",
            )


def _no_decoder(decoder: str, autoencoder: str) -> str:
    names = ", ".join(properties.decoder_names(autoencoder))
    return f"is {decoder!r}, the {autoencoder} autoencoder has: {names}"


def _baselines(settings: StudySettings) -> Iterator[Problem]:
    for i, name in enumerate(settings.baselines):
        if name not in zoo.UNETS:
            yield (
                ("baselines", i),
                f"unknown baseline {name!r}{nearest(name, zoo.UNETS)}; the paper's U-Nets are "
                f"{', '.join(zoo.UNETS)}",
            )


def _evaluations(settings: StudySettings, runs: Sequence[Run]) -> Iterator[Problem]:
    evaluations = {n: e for n, e in settings.evaluations.items() if e is not None}
    if evaluations and settings.train is None and any(not r.model.checkpoint for r in runs):
        yield (
            ("evaluations",),
            "evaluations need a train section: there are no checkpoints to sample from",
        )
    if evaluations and settings.reference is None:
        yield ("evaluations",), "evaluations need a reference section"
    for name, evaluation in evaluations.items():
        for field, sentence in _evaluation(evaluation, settings, runs):
            path = ("evaluations", name, *field.split("."))
            yield path, f"evaluations.{name}.{field} {sentence}"


def _evaluation(
    evaluation: EvaluationSettings, settings: StudySettings, runs: Sequence[Run]
) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it)."""
    diffusion = min((r.diffusion.steps for r in runs), default=settings.diffusion.steps)
    steps = evaluation.sampling_steps
    for n in steps if isinstance(steps, tuple) else (steps,):
        if n > diffusion:
            yield "sampling_steps", f"{n} is more than diffusion.steps {diffusion}"
    if evaluation.eta and evaluation.sampler == "ancestral":
        yield (
            "eta",
            "is DDIM's, the sampler is ancestral: leave eta out, or set sampler: ddim",
        )
    for name in dict.fromkeys(run.autoencoder.name for run in runs):
        if evaluation.decoder not in (None, *properties.decoder_names(name)):
            yield "decoder", _no_decoder(str(evaluation.decoder), name)
    guidance = evaluation.guidance
    for g in guidance if isinstance(guidance, tuple) else (guidance,):
        yield from _guidance(g, diffusion, runs)
    last = min((r.train.steps for r in runs if r.train), default=None)
    if isinstance(evaluation.at, tuple) and last is not None and max(evaluation.at) > last:
        yield "at", f"{max(evaluation.at)} lies beyond train.steps {last}"
    if evaluation.at != "end" and any(r.model.checkpoint for r in runs):
        yield "at", "must be end: an imported checkpoint has no other steps"
    if evaluation.at == "milestones" and any(r.train and not r.train.milestones for r in runs):
        yield "at", "is milestones, but train.milestones is empty"


def _guidance(
    guidance: GuidanceSettings, diffusion: int, runs: Sequence[Run]
) -> Iterator[tuple[str, str]]:
    if guidance.interval is not None and guidance.interval[1] >= diffusion:
        yield (
            "guidance.interval",
            f"{list(guidance.interval)} lies beyond the last timestep, {diffusion - 1} "
            f"(diffusion.steps {diffusion})",
        )
    if guidance.scale == 1.0:
        return
    if any(r.train and r.train.label_dropout == 0 and not r.model.checkpoint for r in runs):
        yield (
            "guidance.scale",
            f"is {guidance.scale:g}, but train.label_dropout is 0: the null label that guidance "
            "needs would never have been trained",
        )
    for run in runs:
        channels = properties.properties(run.autoencoder.name).channels or run.data.channels
        if guidance.channels is not None and guidance.channels > channels:
            given = "channels" in guidance.model_fields_set
            yield (
                "guidance.channels",
                f"is {guidance.channels}{'' if given else ' where it is not given'}, the model has "
                f"{channels}{'' if given else ': write guidance.channels'} (null: all of them)",
            )
            return

"""Numbers of a study that no machine can handle, and those that take years.

A typing mistake (samples: 50000000000) is planned like any other number, and fails after hours or
never ends. The bounds lie far beyond today's machines, so that they are in nobody's way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.spec.study import Study

Problem = tuple[str, str]  # the field, and the sentence

LARGEST_SIDE = 16_384  # pixels: an RGB image in float32 is then 3 GB
MEMORY = 1e13  # bytes: more than machines have
DEVICE = 2e11  # bytes: more than one accelerator has
DEVICES = 10_000  # that a batch is spread over at most, on a cluster
DIFFUSION_STEPS = 10**8  # the schedule's tables are then 10 GB
RATE = 1e4  # training steps in a second, which hardly any network reaches
YEAR = 365.25 * 24 * 3600.0  # seconds
YEARS = 100.0  # of training, beyond which it is refused
PFLOPS = 1e6  # Gflops a second of a fast accelerator
MOST_SUBSETS = 10**6
FLOAT = 4  # bytes


def refused(study: Study) -> Iterator[Problem]:
    """What cannot be computed anywhere."""
    for data in {id(r.data): r.data for r in study.runs}.values():
        if data.image_size > LARGEST_SIDE:
            one = data.image_size**2 * data.channels * FLOAT
            yield (
                "data.image_size",
                f"data.image_size is {data.image_size:,}: one image is {size(one)} in float32; "
                f"give at most {LARGEST_SIDE:,}",
            )
    for objective in {id(r.objective): r.objective for r in study.runs}.values():
        last = objective.time_range[1]
        if isinstance(last, int) and (steps := last + 1) > DIFFUSION_STEPS:  # discrete times
            yield (
                "diffusion.steps",
                f"diffusion.steps is {steps:,}: its schedule is tables of so many numbers; give at "
                f"most {DIFFUSION_STEPS:,} (the paper has 1,000)",
            )
    yield from _training(study)
    yield from _images(study)
    for name, evaluation in study.evaluations.items():
        if evaluation.subsets > MOST_SUBSETS:
            yield (
                f"evaluations.{name}.subsets",
                f"evaluations.{name}.subsets is {evaluation.subsets:,}: a distance is computed of "
                "each; 10 show the spread",
            )


def _training(study: Study) -> Iterator[Problem]:
    for field, steps in dict.fromkeys(_steps(study)):
        if steps / RATE > YEARS * YEAR:
            yield field, f"{field} is {steps:,}: {_lasting(steps)}; give fewer"
    spread = _devices(study)
    on = "a device" if spread == 1 else f"each of {spread:,} devices"
    for batch, one in dict.fromkeys(_passes(study)):
        if batch / spread * one > MEMORY:
            yield (
                "train.batch_size",
                f"one pass of train.batch_size {batch:,} images takes "
                f"{size(batch / spread * one)} on {on} for its inputs alone: give "
                "train.batch_per_device, whose gradients are added up, or a smaller batch",
            )


def _steps(study: Study) -> Iterator[tuple[str, int]]:
    """Trainings: the field, and its steps."""
    for run in {id(r.train): r for r in study.runs}.values():
        if run.train is not None and not run.model.checkpoint:
            yield "train.steps", run.train.steps
    for at, reference in study.references.items():
        if reference.extractor.trained:  # type: ignore[union-attr]
            yield f"{at}.extractor_steps", reference.extractor_steps


def _passes(study: Study) -> Iterator[tuple[int, int]]:
    """(images of one pass, bytes of each): the image, its noise, the input and the prediction."""
    for run in {(id(r.train), id(r.data)): r for r in study.runs}.values():
        train = run.train
        if train is None or train.batch_per_device is not None or run.model.checkpoint:
            continue
        if run.data.image_size <= LARGEST_SIDE:  # else that is said
            channels, side, _ = run.codec.latent_shape(run.data.image_size, run.data.channels)
            yield train.batch_size, 4 * side * side * channels * FLOAT


def _devices(study: Study) -> int:
    """Devices that share a batch: those of this machine that the study says, or any number."""
    dispatch = study.settings.dispatch
    executor: Any = dispatch.executor
    local = getattr(executor, "name", executor) == "local"
    return max(1, dispatch.local.get("train", 1)) if local else DEVICES


def _images(study: Study) -> Iterator[Problem]:
    """Images that are in memory together, or whose features are."""
    for data in {id(r.data): r.data for r in study.runs}.values():
        one = data.image_size**2 * data.channels
        source: Any = data.source
        counts = {"data.train_images": data.train_images} if source.made else {}
        for at, reference in study.references.items():
            counts |= {
                f"{at}.images": reference.images,
                f"{at}.floor_images": reference.floor_images,
            }
            if reference.extractor.trained:  # type: ignore[union-attr]
                counts[f"{at}.extractor_images"] = reference.extractor_images
        for field, count in counts.items():
            if source.made and count is not None and count * one > MEMORY:
                yield (
                    field,
                    f"{field} is {count:,}: images of {source.name!r} are made in memory, and so "
                    f"many take {size(count * one)}",
                )
        for name, evaluation in study.evaluations.items():
            known = study.reference_of(name)
            extractor: Any = None if known is None else known.extractor
            width = (extractor and extractor.width("pool", data.image_size)) or 1
            if evaluation.samples * width * FLOAT > MEMORY:
                yield (
                    f"evaluations.{name}.samples",
                    f"evaluations.{name}.samples is {evaluation.samples:,}: their features alone "
                    f"take {size(evaluation.samples * width * FLOAT)} of memory; the paper draws "
                    "50,000",
                )


def notes(study: Study) -> list[str]:
    """What can be computed, and takes years or more than one device has."""
    found = [
        f"{field} is {steps:,}: {_lasting(steps)}"
        for field, steps in dict.fromkeys(_steps(study))
        if YEAR < steps / RATE <= YEARS * YEAR
    ]
    spread = _devices(study)
    for batch, one in dict.fromkeys(_passes(study)):
        if DEVICE < batch / spread * one <= MEMORY:
            found.append(
                f"one pass of train.batch_size {batch:,} images takes "
                f"{size(batch / spread * one)} on a device for its inputs alone: "
                "train.batch_per_device cuts it into several"
            )
    return found


def years_of(gflops: float) -> str | None:
    """A sentence on work that would keep one fast accelerator busy for more than a year."""
    years = gflops / PFLOPS / YEAR
    if years <= 1:
        return None
    return (
        f"what is to do takes {_years(years)} of one device at 1 Pflop/s: are steps, batch and "
        "samples what was meant?"
    )


def _lasting(steps: int) -> str:
    return f"at {RATE:,.0f} steps a second they take {_years(steps / RATE / YEAR)}"


def _years(years: float) -> str:
    return f"{years:,.0f} years" if years >= 2 else f"{years:.1f} years"


def size(count: float) -> str:
    """
    >>> size(1.2e11), size(3e15), size(4e22)
    ('120 GB', '3 PB', '40,000,000 PB')
    """
    for unit, factor in (("PB", 1e15), ("TB", 1e12)):
        if count >= factor:
            return f"{count / factor:,.0f} {unit}"
    return f"{count / 1e9:,.0f} GB"

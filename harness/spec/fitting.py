"""Whether the parts of a run fit: images, autoencoder and network, objective, schedule and steps.

A problem is reported at the axis that caused it, where one did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.nearest import divisors
from harness.spec.source import Path_

if TYPE_CHECKING:
    from harness.spec.run import Run

Problem = tuple[Path_, str]  # the field it is about, and the sentence


def inputs(runs: Sequence[Run]) -> Iterator[Problem]:
    """Images that fit the autoencoder, latents that fit the network, an objective that fits it."""
    alike = {(id(r.model), id(r.data), id(r.codec), id(r.objective)): r for r in runs}
    for run in alike.values():
        try:
            given = run.given()
        except BadInput as error:
            field = "channels" if "channels" in str(error) else "image_size"
            sentence = _of_field(f"data.{field}", getattr(run.data, field), str(error))
            yield blamed(run, "data", field), sentence
            continue
        if run.autoencoder.decoder not in run.codec.decoders:
            path = ("autoencoder", "decoder")
            said = f"{'.'.join(path)} {no_decoder(run.autoencoder.decoder, run.codec)}"
            yield blamed(run, *path), said
        if run.model.component is None:
            continue
        try:
            run.model.component.check(given)
            run.objective.check_family(run.model.component)
        except BadInput as error:
            yield (
                blamed(run, "model", said=str(error)),
                f"{error} (image {run.data.image_size}, through the {run.codec.name} autoencoder)",
            )


def _of_field(dotted: str, value: object, sentence: str) -> str:
    return sentence if dotted in sentence else f"{dotted} is {value}: {sentence}"


def no_decoder(decoder: str | None, codec: Any) -> str:
    """What is wrong with a decoder that the autoencoder does not have."""
    return f"is {decoder!r}, the {codec.name} autoencoder has: {', '.join(codec.decoders)}"


def training(runs: Sequence[Run]) -> Iterator[Problem]:
    """A schedule that ends within the training, a batch that its parts divide."""
    trained = [r for r in runs if r.train is not None]
    for run in {id(r.train): r for r in trained}.values():
        train: Any = run.train
        try:
            train.schedule.check(train.steps)
        except BadInput as error:
            path = blamed(run, "train", "schedule")
            if path[0] != "matrix":
                path = blamed(run, "train", "steps", otherwise=path)
            yield path, f"train.schedule: {error}"
        try:
            train.optimizer.check(train.learning_rate)
        except BadInput as error:
            own = "weight_decay" if "weight_decay" in train.model_fields_set else "optimizer"
            yield blamed(run, "train", own), f"train.optimizer: {error}"
        size = train.batch_per_device
        if size is not None and size < train.batch_size and train.batch_size % size:
            yield (
                ("train", "batch_per_device"),
                f"train.batch_per_device {size} does not divide train.batch_size "
                f"{train.batch_size}; these do: {divisors(train.batch_size)}",
            )


def blamed(run: Run, *field: str, said: str | None = None, otherwise: Path_ | None = None) -> Path_:
    """The axis that set the field in this run, else `otherwise`, or the field.

    Of axes that set its parts the one whose part `said` names; without `said` the first.
    """
    dotted = ".".join(field)
    for axis in sorted(run.point, key=len, reverse=True):  # patch_size before size
        part = axis.removeprefix(f"{dotted}.")
        if part == axis:
            if axis == dotted or dotted.startswith(f"{axis}."):
                return "matrix", "axes", axis
        elif said is None or part.replace("_", " ") in said:
            return "matrix", "axes", axis
    return otherwise or field

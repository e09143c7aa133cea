"""Floors that would say nothing: they are not planned, and marked where an older version measured
one.

A floor is the score of real images that the reference was not made of. Of an image folder without a
part that is held out, a reference of the whole folder leaves none over.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from harness.spec.held_out import floors_have

if TYPE_CHECKING:
    from harness.plan.plan import Plan
    from harness.spec.schema import DataSettings, ReferenceSettings

INVALID = "its images are among the reference's"


def none_left(data: DataSettings, reference: ReferenceSettings) -> bool:
    """Is the reference made of all images that there are, as far as can be seen from here?"""
    source: Any = data.source
    extractor: Any = reference.extractor
    if source.made or data.path is None or not os.path.exists(data.path):
        return False
    if extractor.trained and reference.statistics is None:
        return False  # on a part of them: floors have another (harness.metrics.division)
    if within_statistics(data, reference):
        return True
    if data.held_out is not None or source.floors_apart(data.path) is not False:
        return False
    whole = reference.images is None or reference.statistics is not None
    return whole or (data.train_images is not None and data.train_images <= (reference.images or 0))


def within_statistics(data: DataSettings, reference: ReferenceSettings) -> bool:
    """Are the images held out by rule among those that the reference's statistics are of?

    Statistics that were made elsewhere are taken to be of all images, as a file does not say which.
    """
    return reference.statistics is not None and isinstance(data.held_out, float)


def check(plan: Plan) -> None:
    """Take floors without images of their own out of a plan, and say of how few the others are.

    The plan's notes say both, with what to do.
    """
    if not plan.floors:
        return
    _leave_out(plan)
    told: dict[str, tuple[int, int | None]] = {}
    for key, names in plan.floors.items():
        images = json.loads(plan.stages[key].settings)["images"]
        data = plan.study.runs[plan.stages[key].run or 0].data
        for name in names:
            if images < plan.study.evaluations[name].samples:
                reference = plan.study.reference_of(name)
                told[name] = images, None if reference is None else floors_have(data, reference)
    alike: dict[tuple[int, int, int | None], list[str]] = {}
    for name, (images, most) in told.items():
        samples = plan.study.evaluations[name].samples
        alike.setdefault((images, samples, most), []).append(name)
    for (images, samples, most), those in alike.items():
        many = len(those) > 1
        plan.notes.append(
            f"the floor{'s' * many} of {', '.join(those)} {'are' if many else 'is'} of {images:,} "
            f"real images beside {samples:,} samples. A distance depends on the number of images, "
            "so figures draw no line; the first samples, as many, are measured to stand beside "
            f"{'them' if many else 'it'}. {_as_many(those, samples, most)}"
        )


def _as_many(names: list[str], samples: int, most: int | None) -> str:
    """What would give as many real images as samples, where `most` are held out."""
    each = f"evaluations.{names[0] if len(names) == 1 else 'NAME'}"
    if most is None or most >= samples:
        return f"For as many say {each}.floor_images: {samples}"
    return (
        f"data.held_out leaves {most:,}: a line needs more held out, or {each}.samples of at most "
        f"{most:,}"
    )


def _leave_out(plan: Plan) -> None:
    of_data: dict[tuple[int, int], list[str]] = {}
    settings: dict[tuple[int, int], tuple[DataSettings, ReferenceSettings]] = {}
    for key in plan.floors:
        if plan.stages[key].kind != "floor":
            continue
        run = plan.stages[key].run
        data = plan.study.runs[run or 0].data
        reference = plan.study.reference_of(plan.stages[key].evaluation)
        assert reference is not None  # without one there are no floors
        of_data.setdefault((id(data), id(reference)), []).append(key)
        settings[id(data), id(reference)] = data, reference
    for numbers, keys in of_data.items():
        data, reference = settings[numbers]
        if none_left(data, reference) and within_statistics(data, reference):
            plan.drop(
                keys,
                f"no floor is measured: the statistics {reference.statistics} are taken to be of "
                f"all images of {data.name}, of which data.held_out holds out a share. Let "
                "data.held_out be a folder of other images",
            )
        elif none_left(data, reference):
            plan.drop(
                keys,
                f"no floor is measured: {data.path} has no images that are held out, and the "
                "reference is made of all of them. Say data.held_out (a share, as "
                "0.1, or a folder), or let data.path hold a folder `val` beside `train`, or give "
                "reference.images fewer than there are",
            )


def invalid_references(plan: Plan) -> dict[str, str]:
    """References whose floors of older versions say nothing: key -> why."""
    found = {}
    for key, stage in plan.stages.items():
        if stage.kind == "reference" and stage.run is not None:
            data = plan.study.runs[stage.run].data
            source: Any = data.source
            if source.made or data.path is None or not os.path.exists(data.path):
                continue
            if data.held_out is None and source.floors_apart(data.path) is False:
                found[key] = INVALID
    return found

"""Floors that would say nothing: planned by nobody, and marked where an older version measured one.

A floor is what real images score that the reference was not made of. Of an image folder without a
part that is held out, a reference of the whole folder leaves none over.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.plan.plan import Plan
    from harness.spec.schema import DataSettings, ReferenceSettings

INVALID = "its images are among the reference's"


def none_left(data: DataSettings, reference: ReferenceSettings) -> bool:
    """Is the reference made of all images that there are, as far as can be seen from here?"""
    source: Any = data.source
    extractor: Any = reference.extractor
    if source.made or data.path is None or not Path(data.path).exists():
        return False
    if extractor.trained and reference.statistics is None:
        return False  # on a part of them: floors have another (harness.metrics.division)
    if data.held_out is not None or source.floors_apart(data.path) is not False:
        return False
    whole = reference.images is None or reference.statistics is not None
    return whole or (data.train_images is not None and data.train_images <= (reference.images or 0))


def leave_out(plan: Plan) -> None:
    """Take floors without images of their own out of a plan, saying so in its notes."""
    reference = plan.study.settings.reference
    if reference is None or not plan.floors:
        return
    of_data: dict[int, list[str]] = {}
    settings: dict[int, DataSettings] = {}
    for key in plan.floors:
        if plan.stages[key].kind != "floor":
            continue
        run = plan.stages[key].run
        data = plan.study.runs[run or 0].data
        of_data.setdefault(id(data), []).append(key)
        settings[id(data)] = data
    for number, keys in of_data.items():
        data = settings[number]
        if none_left(data, reference):
            plan.drop(
                keys,
                f"no floor is measured: {data.path} has no images that are held out, and the "
                "reference is made of all of them. Say data.held_out (a share, as "
                "0.1, or a folder), or let data.path hold a folder `val` beside `train`, or give "
                "reference.images fewer than there are",
            )


def invalid_references(plan: Plan) -> dict[str, str]:
    """References whose floors of older versions say nothing: key -> why."""
    reference = plan.study.settings.reference
    if reference is None:
        return {}
    found = {}
    for key, stage in plan.stages.items():
        if stage.kind == "reference" and stage.run is not None:
            data = plan.study.runs[stage.run].data
            source: Any = data.source
            if source.made or data.path is None or not Path(data.path).exists():
                continue
            if data.held_out is None and source.floors_apart(data.path) is False:
                found[key] = INVALID
    return found

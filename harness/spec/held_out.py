"""Images that a study holds out of training: can they be, and are they enough?"""

from __future__ import annotations

from typing import Any

from harness.data.held_out import count_of
from harness.errors import BadInput
from harness.spec.schema import ReferenceSettings, StudySettings


def check(settings: StudySettings, data: Any) -> None:
    """Raises BadInput for a share that is impossible, or too small for what the study asks."""
    if data.held_out is not None and data.source.made:
        raise BadInput(
            f"data.held_out is for images that lie on disk; source {data.source.name!r} makes "
            "others for floors: leave it out"
        )
    if isinstance(data.held_out, float) and data.train_images is not None:
        count_of(data.train_images, data.held_out)
    for field, reference in settings.references.items():
        _check_reference(field, reference, data)
    _check_floors(settings, data)


def floors_have(data: Any, reference: ReferenceSettings) -> int | None:
    """How many real images there are for floors, as far as a study alone tells; else None."""
    if not isinstance(data.held_out, float) or data.train_images is None or reference.held_out:
        return None
    return count_of(data.train_images, data.held_out)


def _check_floors(settings: StudySettings, data: Any) -> None:
    """Raises BadInput for an evaluation that asks for more real images than are held out."""
    for name, evaluation in settings.evaluations.items():
        if evaluation is None or evaluation.floor_images is None:
            continue
        own = evaluation.reference or settings.reference
        have = None if own is None else floors_have(data, own)
        if have is not None and evaluation.floor_images > have:
            raise BadInput(
                f"data.held_out {data.held_out:g} of {data.train_images:,} images leaves {have:,} "
                f"for evaluations.{name}.floor_images, which is {evaluation.floor_images:,}: "
                "lower it, or hold out another share"
            )


def _check_reference(reference_field: str, reference: ReferenceSettings, data: Any) -> None:
    """The same, for one of the references."""
    if data.held_out is None:
        if reference.held_out:
            raise BadInput(
                f"{reference_field}.held_out is true, and nothing is held out: give "
                "data.held_out, a share as 0.1 or a folder"
            )
        return
    if reference.held_out and reference.statistics is not None:
        raise BadInput(
            f"{reference_field}.held_out is true, and {reference_field}.statistics are of other "
            "images: leave one of them out"
        )
    if not isinstance(data.held_out, float) or data.train_images is None:
        return
    held = count_of(data.train_images, data.held_out)
    kept = data.train_images - held
    sizes = (held, kept) if reference.held_out else (kept, held)
    wanted = (reference.images or 0, reference.floor_images)
    for field, size, asked in zip(("images", "floor_images"), sizes, wanted, strict=True):
        if asked > size:
            raise BadInput(
                f"data.held_out {data.held_out:g} of {data.train_images:,} images leaves {size:,} "
                f"for {reference_field}.{field}, which is {asked:,}: lower it, or hold "
                "out another share"
            )

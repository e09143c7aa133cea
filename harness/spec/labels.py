"""What a study calls its runs: the model, and in the report's words whatever else its runs vary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import setting_names as names

if TYPE_CHECKING:
    from harness.spec.run import Run

IN_NAME = ("name", "checkpoint", "family", "size", "patch_size", "depth", "width", "heads")
# An axis is called by its last word, except these.
CALLED = {
    "train.steps": "horizon",
    "diffusion.steps": "diffusion_steps",
    "data.name": "data",
    "autoencoder.name": "autoencoder",
    "objective.name": "objective",
}
# The report names these first, then the recipe, then the data; the seed comes last.
FIRST = (
    "model.block",
    "data.image_size",
    "autoencoder.name",
    "data.name",
    "train.batch_size",
    "train.learning_rate",
    "objective",
    "objective.name",
)
_LACKING = object()


def words_of(runs: Sequence[Run], fields: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Per run the words behind its model's name: "lr 0.004", "wsd, decay 0.2", "seed 1".

    runs: of a study; fields: what the matrix sets in each, by dotted name. Left out: what all runs
    share, what the model's name says already, and a setting of the network that does not
    distinguish two networks of one name.
    """
    axes = sorted(dict.fromkeys(axis for own in fields for axis in own), key=_place)
    fields = [
        {axis: own[axis] if axis in own else _otherwise(run, axis) for axis in axes}
        for run, own in zip(runs, fields, strict=True)
    ]
    told = {axis: _said(axis, runs, fields) for axis in axes}
    return [
        tuple(
            word
            for axis in axes
            if own[axis] is not _LACKING and (words := told[axis]) is not None
            for word in words[_text(own[axis])]
        )
        for own in fields
    ]


def _otherwise(run: Run, axis: str) -> Any:
    """A run's value where its point sets none."""
    head, *rest = axis.split(".")
    found: Any = run.model.component if head == "model" else getattr(run, head, _LACKING)
    for name in rest:
        found = getattr(found, name, _LACKING)
    return found


def _place(axis: str) -> tuple[int, int]:
    """Where an axis stands in a label; those of the same place keep the matrix's order."""
    if axis in FIRST:
        return 0, FIRST.index(axis)
    return (3 if axis == "seed" else 2 if axis.startswith("data.") else 1), 0


def _said(
    axis: str, runs: Sequence[Run], fields: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]] | None:
    """The words of an axis' values, by their texts; None: no label says it."""
    head, _, rest = axis.partition(".")
    if head == "model" and rest in IN_NAME:
        return None
    values = {_text(own[axis]): own[axis] for own in fields}
    if len(values) < 2:
        return None
    if head == "model" and rest != "block" and not _apart(axis, runs, fields):
        return None
    name = CALLED.get(axis, axis.rpartition(".")[2])
    every = [v for v in values.values() if v is not _LACKING]
    return {
        text: names.said_among(name, v, every) for text, v in values.items() if v is not _LACKING
    }


def _apart(axis: str, runs: Sequence[Run], fields: Sequence[Mapping[str, Any]]) -> bool:
    """Does it distinguish two networks of one name?"""
    values: dict[str, set[str]] = {}
    for run, own in zip(runs, fields, strict=True):
        values.setdefault(run.model.label, set()).add(_text(own[axis]))
    return any(len(own) > 1 for own in values.values())


def _text(value: Any) -> str:
    if type(value) in (str, int, float, bool):
        return repr(value)
    return "" if value is _LACKING else json.dumps(value, sort_keys=True, default=repr)

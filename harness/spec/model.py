"""The `model` section: which network, of which family, or which imported checkpoint.

    model: {name: DiT-XL/2}                                 short for family, size and patch size
    model: {family: U-ViT, size: S, patch_size: 2}
    model: {checkpoint: NAME}                               imported: sampled, never trained

Families side by side in one matrix share the section's fields; what only one of them has stands
under `by_family`:

    model: {patch_size: 2, by_family: {DiT: {block: adaln}, U-ViT: {}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from harness.components import registry
from harness.components.family import Family, by_short_name
from harness.components.registry import UnknownComponent
from harness.errors import BadInput
from harness.nearest import did_you_mean
from harness.spec.base import Settings
from harness.spec.choices import validated
from harness.spec.explain import place_of, show, written
from harness.spec.source import Path_, Source


class ModelFields(Settings):
    """The network. Besides these fields, those of the family that is named."""

    name: str | None = None
    "Family, size and patch size in one name, for example DiT-XL/2."

    checkpoint: str | None = None
    "An imported checkpoint, by its name: it is sampled and never trained."

    family: str = "DiT"
    "The family of networks; `harness components family NAME` lists its settings."

    by_family: dict[str, dict[str, Any]] = Field(default={})
    "Settings of one family alone, where a matrix has several: {U-ViT: {depth: 5}}."


OWN = tuple(ModelFields.model_fields)  # the rest is the family's


@dataclass(frozen=True)
class Model:
    """A run's network: a family's component, or the name of an imported checkpoint."""

    component: Family | None
    checkpoint: str | None = None

    @property
    def family(self) -> str | None:
        """Name of the family; None for an imported checkpoint."""
        return None if self.component is None else self.component.name

    @property
    def label(self) -> str:
        """The model's name as the reports print it: "DiT-XL/2"."""
        if self.component is None:
            return self.checkpoint or ""
        return self.component.label

    @property
    def facts(self) -> dict[str, Any]:
        """Its columns of the records: of size, patch_size, depth, width, heads, block."""
        return {} if self.component is None else self.component.facts()

    def same(self, other: Model) -> bool:
        """Do both stand for one network, under whatever names?"""
        mine, theirs = self.component, other.component
        if mine is None or theirs is None:
            return self.checkpoint == other.checkpoint and mine is theirs
        return mine.identity() == theirs.identity()  # type: ignore[no-any-return]


def choose(
    raw: Mapping[str, Any],
    where: Source,
    problems: list[str],
    point: Mapping[str, Any] | None = None,
) -> Model | None:
    """The model that a study's section stands for; None, and what is wrong, in `problems`."""

    def wrong(sentence: str, *field: str) -> None:
        path: Path_ = ("model", *field)
        in_run = f" (in the run {show(point)})" if point else ""
        problems.append(f"{place_of(where, path, point)}: {sentence}{in_run}")

    given = dict(raw)
    for field, kinds, words in (
        ("name", str, "a name, as DiT-XL/2"),
        ("family", str, "a name"),
        ("checkpoint", str, "a name"),
        ("by_family", Mapping, "a mapping of families"),
    ):
        if given.get(field) is not None and not isinstance(given[field], kinds):
            wrong(f"model.{field} is {written(given[field])}; it should be {words}", field)
            return None
    name, checkpoint = given.pop("name", None), given.pop("checkpoint", None)
    by_family = given.pop("by_family", None) or {}
    family = given.pop("family", None)
    if checkpoint is not None:
        others = sorted(k for k, v in given.items() if v is not None and k != "block")
        if others or name is not None:
            wrong(
                f"model.checkpoint {checkpoint!r} brings its own size and patch size: "
                "leave out the other fields of model"
            )
            return None
        return Model(None, checkpoint)
    if name is not None:
        try:
            its, settings = by_short_name(name)
        except BadInput as error:
            wrong(f"model: {error}", "name")
            return None
        for field, value in {"family": its, **settings}.items():
            said = family if field == "family" else given.get(field, value)
            if said is not None and said != value:
                wrong(
                    f"model.name {name!r} says {field} {value!r}, "
                    f"model.{field} says {said!r}: give one of them"
                )
                return None
        family, given = its, {**given, **settings}
    family = family or "DiT"
    try:
        cls = registry.get("family", family)
    except BadInput as error:
        wrong(f"model.family: {error}", "family")
        return None
    own = by_family.get(family) or {}
    if not isinstance(own, Mapping):
        said = f"model.by_family.{family} is {written(own)}"
        wrong(f"{said}; it should be a mapping", "by_family", family)
        return None
    for other, its in by_family.items():
        if other not in registry.names("family"):
            wrong(f"model.by_family: {UnknownComponent('family', other)}", "by_family", other)
        elif other != family:
            for sentence in _of_another(other, its):
                wrong(sentence, "by_family", other)
    settings = {k: v for k, v in {**given, **own}.items() if v is not None or k in cls.model_fields}
    made = validated(cls, settings, where, ("model",), problems, point)
    return Model(made) if isinstance(made, Family) else None


def _of_another(family: str, its: Any) -> list[str]:
    """What is wrong with the settings of a family that this run has not: their names alone."""
    place = f"model.by_family.{family}"
    if its is None:
        return []
    if not isinstance(its, Mapping):
        return [f"{place} is {written(its)}; it should be a mapping"]
    known = tuple(registry.get("family", family).model_fields)
    return [
        f"unknown field '{place}.{field}'{did_you_mean(field, known)}; allowed: {', '.join(known)}"
        for field in its
        if field not in known
    ]

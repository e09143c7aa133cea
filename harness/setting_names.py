"""Short words for settings and their values, the same in labels, tables, figures and sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

SHORT = {
    "learning_rate": "lr",
    "label_dropout": "dropout",
    "weight_decay": "decay",
    "grad_clip": "clip",
    "batch_size": "batch",
    "image_size": "image size",
    "objective_settings": "objective's settings",
}
# Settings of which null is a value, in a word.
NOTHING = {"schedule": "constant", "grad_clip": "off", "base_width": "off", "optimizer": "adamw"}
# Settings whose values say what they are.
ALONE = ("block", "data", "autoencoder", "family", "objective", "schedule", "optimizer")


def setting(name: str) -> str:
    """A setting's name as labels and tables say it: "lr", "dropout", "warmup steps"."""
    return SHORT.get(name, name.replace("_", " "))


def level(value: Any) -> str:
    """A setting's value: "0.004", "off" for false and none, text as it is."""
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping) and "name" in value:  # a component
        return str(value["name"])
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)  # two settings never look like one


def said(name: str, value: Any) -> str:
    """Both: "lr 0.004", "dropout 0"; a name alone where the value is a word ("adaln-zero")."""
    if name == "image_size":
        return f"{level(value)} px"
    if name == "horizon":  # of a training whose rate depends on it
        return f"to {value:,} steps"
    if name in ALONE and value is None and name in NOTHING:
        return NOTHING[name]
    word = isinstance(value, str) or component(value) is not None
    return level(value) if word and name in ALONE else f"{setting(name)} {level(value)}"


def component(value: Any) -> Mapping[str, Any] | None:
    """A component's name and settings, of a mapping or its JSON text; None: it is none."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) and "name" in value else None


def apart(value: Mapping[str, Any], among: Iterable[Any]) -> list[str]:
    """The settings of a component that tell it from its namesakes, each in words."""
    alike = [v for v in among if isinstance(v, Mapping) and v.get("name") == value.get("name")]
    keys = [k for k in value if k != "name" and len({repr(v.get(k)) for v in alike}) > 1]
    return [said(k, value[k]) for k in keys]


def said_among(name: str, value: Any, among: Iterable[Any]) -> list[str]:
    """A setting in words; of a component also its settings that tell it from its namesakes."""
    found = [said(name, value)]
    if isinstance(value, Mapping):
        found += apart(value, among)
    return found


def levels(values: Iterable[Any]) -> dict[Any, str]:
    """The words of a setting's values: of components their names, and what tells namesakes apart.

    "cosine", "wsd, decay 0.2", "0.004". Values are hashable: a component is its JSON text.
    """
    distinct = list(dict.fromkeys(values))
    read = [component(v) for v in distinct]
    return {
        v: level(v) if one is None else ", ".join([level(one), *apart(one, read)])
        for v, one in zip(distinct, read, strict=True)
    }

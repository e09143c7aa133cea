"""Short words for settings and their values, the same in labels, tables, figures and sentences."""

from __future__ import annotations

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


def setting(name: str) -> str:
    """A setting's name as labels and tables say it: "lr", "dropout", "warmup steps"."""
    return SHORT.get(name, name.replace("_", " "))


def level(value: Any) -> str:
    """A setting's value: "0.004", "off" for false and none, text as it is."""
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)  # two settings never look like one


def said(name: str, value: Any) -> str:
    """Both: "lr 0.004", "dropout 0"; a name alone where the value is a word ("adaln-zero")."""
    if name == "image_size":
        return f"{level(value)} px"
    alone = isinstance(value, str) and name in ("block", "data", "autoencoder", "family",
                                                "objective")  # fmt: skip
    return level(value) if alone else f"{setting(name)} {level(value)}"

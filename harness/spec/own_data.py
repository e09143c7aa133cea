"""The settings that a study must give of your own images, since planning opens none."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import yaml

from harness.errors import HarnessError

NEEDED = ("name", "image_size", "num_classes")


def unsaid(data: Any) -> str | None:
    """An error for a data section that lacks what a plan must know, with lines to paste; or None.

    The one place where checking a study looks at images: what is missing is found out there.
    data: harness.spec.schema.DataSettings with its source.
    """
    source = data.source
    absent = [field for field in NEEDED if field not in data.model_fields_set]
    if source.made or not absent:
        return None
    said = f"data does not say {', '.join(absent)}, and a plan opens no images"
    if data.path is None:
        return f"{said}: write them, and data.path ({source.layout})"
    try:
        about, lines = _found(data)
    except HarnessError as error:
        return f"{said}: write them. What lies at {data.path} does not tell: {error}"
    return f"{said}. {data.path} has {about}; paste these lines:\n{lines}"


def idle_path(data: Any) -> str | None:
    """An error for a path that nothing reads, since the source makes its images; or None."""
    if not data.source.made or data.path is None:
        return None
    return (
        f"data.path is {data.path!r}, and source {data.source.name!r} reads no files: leave it "
        "out, or give the data.source that reads them"
    )


def of_classes(source: Any, data: Any) -> str:
    """An error for a number of classes that does not go with the source's labels; or None."""
    if source.labelled:
        return (
            "data.num_classes is 0, and source "
            f"{source.name!r} reads labels: give their number of classes, or, to train without "
            "them, a source of images alone (unlabelled-folder, or arrays with labels: null)"
        )
    return (
        f"data.num_classes is {data.num_classes}, and these images have no labels (source "
        f"{source.name!r}): write num_classes: 0, which trains unconditional models"
    )


def _found(data: Any) -> tuple[str, str]:
    """A description of what lies at data.path, and the lines of a study for it."""
    from harness.data import looking
    from harness.data.images import open_images

    path, own = Path(data.path), data.source.model_dump(exclude_defaults=True)
    name = looking.data_name(path)
    images = open_images(name, data.source.name, data.path, settings=own)
    seen = looking.look(images, data.path)
    found = {
        "name": name,
        "source": {"name": data.source.name, **own} if own else data.source.name,
        "path": data.path,
        "image_size": 1 << (seen.side.bit_length() - 1),  # patch sizes divide powers of two
        "channels": seen.channels,
        "num_classes": len(seen.classes),
        "train_images": seen.count,
    }
    said = {field: getattr(data, field) for field in found if field in data.model_fields_set}
    lines = {**found, **said, "source": found["source"]}
    text = yaml.safe_dump({"data": lines}, sort_keys=False, allow_unicode=True, width=10**6)
    return seen.sentence, textwrap.indent(text.rstrip(), "  ")

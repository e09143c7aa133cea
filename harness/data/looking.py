"""Looks at a folder of images: which source reads it, its classes, counts and sizes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.components import registry
from harness.components.proportions import are_uneven, counts_of
from harness.components.source import Images, Source
from harness.data import changes
from harness.data.images import Corrupt
from harness.errors import BadInput

MOST_READ = 200  # images whose size is looked at, spread evenly over all of them


@dataclass(frozen=True)
class Looked:
    """A look at some images: how many they are, their sizes, their classes."""

    classes: tuple[str, ...]  # none: they have no labels
    count: int  # images
    side: int  # the shorter side of the smallest image looked at, pixels
    largest: int  # the shorter side of the largest
    channels: int  # 1 where all that were looked at are gray, else 3
    read: int  # images that were looked at
    damaged: int  # of them
    uneven: tuple[int, int] | None  # images of the rarest and most frequent class; None: alike
    stored: dict[str, int]  # of them, by what they are brought to RGB from: alpha, palette, ...

    @property
    def sentence(self) -> str:
        """In words: "600 images of 3 classes (a, b, c), shorter side 32 pixels"."""
        shown = ", ".join(self.classes[:4]) + (", ..." if len(self.classes) > 4 else "")
        classes = f"{len(self.classes):,} {'class' if len(self.classes) == 1 else 'classes'}"
        of = f" of {classes} ({shown})" if self.classes else " without labels"
        sides = f"{self.side}" if self.side == self.largest else f"{self.side} to {self.largest}"
        more = changes.told(self.stored, self.read)
        if self.uneven is not None:
            more.insert(0, "{:,} to {:,} images a class".format(*self.uneven))
        if self.damaged:
            more.append(
                f"{self.damaged} of {self.read} cannot be read: repair or remove such images, or "
                "say with data.max_corrupt how many may be left out"
            )
        return "; ".join([f"{self.count:,} images{of}, shorter side {sides} pixels", *more])


def look(images: Images, place: str) -> Looked:
    """Look at some images, spread evenly over all of them. `place` names them in errors.

    Raises BadInput if none of those looked at can be read.
    """
    sides: list[int] = []
    stored: Counter[str] = Counter()
    gray = damaged = 0
    why = ""
    for index in np.linspace(0, len(images) - 1, min(MOST_READ, len(images))).astype(int):
        try:
            image, _ = images[int(index)]
        except Corrupt as error:
            damaged += 1
            why = why or str(error)
            continue
        sides.append(min(image.shape[:2]))
        kind = "gray" if image.shape[2] == 1 else getattr(image, "stored", None)
        gray += kind == "gray"
        if kind is not None:
            stored[kind] += 1
        for mark in ("turned", "frames"):
            stored[mark] += bool(getattr(image, mark, False))
    if not sides:
        raise BadInput(f"{place}: none of {damaged} images looked at can be read: {why}")
    return Looked(
        tuple(images.class_names),
        len(images),
        int(min(sides)),
        int(max(sides)),
        1 if gray == len(sides) else 3,
        len(sides) + damaged,
        damaged,
        _uneven(images),
        dict(+stored),
    )


def _uneven(images: Images) -> tuple[int, int] | None:
    """Images of the rarest and of the most frequent class, where classes are far from alike."""
    counts = counts_of(images)
    if counts is None or not are_uneven(counts):
        return None
    return int(counts.min()), int(counts.max())


def data_name(path: Path) -> str:
    """A name for the data that lie at `path`, from the path's own; not an embedded set's."""
    from harness.data.embedded import EMBEDDED

    stem = path.resolve().stem if path.is_file() else path.resolve().name
    plain = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFKD", stem))  # é as e
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._") or "images"
    return f"my-{name}" if name in EMBEDDED else name


def find_source(path: Path) -> tuple[str, dict[str, Any]] | None:
    """The source that recognises what lies at `path`, and its settings; None: none does.

    Sources that somebody brought are asked first: they know their own.
    """
    entries = sorted(registry.entries("source"), key=lambda entry: entry.where == "built in")
    for entry in entries:
        cls = entry.load()
        assert issubclass(cls, Source)
        if (settings := cls.recognise(path)) is not None:
            return entry.name, settings
    return None

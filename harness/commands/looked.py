"""What can be known of a folder of images by looking: classes, counts, sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.commands.common import plural
from harness.errors import BadInput, Missing

MOST_READ = 200  # images whose size is looked at, spread evenly over all of them


@dataclass(frozen=True)
class Found:
    """A folder of images."""

    name: str  # of the data, from the folder's
    source: str  # the data source that reads it
    path: str  # as it was given
    classes: tuple[str, ...]
    count: int  # images
    side: int  # the shorter side of the smallest image looked at, pixels
    largest: int  # the shorter side of the largest
    read: int  # images that were looked at
    damaged: int  # of them
    extractor: str  # that can measure them

    def settings(self) -> dict[str, Any]:
        """The study's data section, without the image size."""
        return {
            "name": self.name,
            "source": self.source,
            "path": self.path,
            "num_classes": len(self.classes),
            "train_images": self.count,
            "flip": False,
        }

    def reference(self) -> dict[str, Any]:
        return {"extractor": self.extractor}

    @property
    def sentence(self) -> str:
        shown = ", ".join(self.classes[:4]) + (", ..." if len(self.classes) > 4 else "")
        sides = f"{self.side}" if self.side == self.largest else f"{self.side} to {self.largest}"
        damaged = f"; {self.damaged} of {self.read} cannot be read" if self.damaged else ""
        return (
            f"{self.path}, {plural(self.count, 'image')} of "
            f"{plural(len(self.classes), 'class', 'classes')} ({shown}), "
            f"shorter side {sides} pixels{damaged}"
        )


def look(folder: str) -> Found:
    """What lies in a folder of images (one folder per class, or tar shards).

    Raises Missing if it is not there, BadInput if no source can read it, saying what would do.
    """
    import numpy as np

    from harness.data.images import Corrupt, open_images
    from harness.data.sources import EMBEDDED

    path = Path(folder)
    if not path.exists():
        raise Missing(f"--data {folder}: there is no such folder")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name).strip("-._") or "images"
    if name in EMBEDDED:
        name = f"my-{name}"
    source = "webdataset" if _tars(path) else "image-folder"
    images = open_images(name, source, folder)
    sides, damaged = [], 0
    for index in np.linspace(0, len(images) - 1, min(MOST_READ, len(images))).astype(int):
        try:
            sides.append(min(images[int(index)][0].shape[:2]))
        except Corrupt:
            damaged += 1
    if not sides:
        raise BadInput(f"--data {folder}: none of {damaged} images looked at can be read")
    return Found(
        name,
        source,
        folder,
        tuple(images.class_names),
        len(images),
        int(min(sides)),
        int(max(sides)),
        len(sides) + damaged,
        damaged,
        _extractor(),
    )


def _tars(path: Path) -> bool:
    return path.suffix == ".tar" or any(path.glob("*.tar")) or any(path.glob("*/*.tar"))


def _extractor() -> str:
    """One that needs nothing from elsewhere, where there is one; else Inception-2015."""
    from harness.components import registry

    own = "classifier"  # trained on the study's own images
    return own if own in registry.names("extractor") else "inception-2015"

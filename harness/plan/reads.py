"""The files from outside that stages read: images, weights, statistics.

A role says what they are to the stage. The stage keeps a list of them by role
(harness.store.file_lists), and whoever looks at a study finds here where they lie now.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.components.below import everything
from harness.plan.stages import Place

if TYPE_CHECKING:
    from harness.components.source import Source, Split

SPLITS: dict[str, Split] = {"data": "train", "floor": "floor"}  # role -> the part of the images
PATHS = {  # role -> field of Place
    "data": "data_path",
    "floor": "data_path",
    "autoencoder": "autoencoder_weights",
    "extractor": "extractor_weights",
    "statistics": "statistics",
}
FIELDS = {  # role -> the study's field, and that which puts the files' identity into the key
    "data": ("data.path", "data.fingerprint"),
    "floor": ("data.path", "data.fingerprint"),
    "autoencoder": ("autoencoder.weights", "autoencoder.sha256"),
    "extractor": ("reference.extractor_weights", "reference.extractor_sha256"),
    "statistics": ("reference.statistics", "reference.statistics_sha256"),
}
OF_KIND = {  # stage kind -> what it may read
    "encode": ("data", "autoencoder"),
    "reference": ("data", "floor", "extractor", "statistics"),
    "floor": ("floor", "autoencoder", "extractor"),
    "ceiling": ("autoencoder", "extractor"),
}


def where(role: str, place: Place) -> str | None:
    """The path that a study gives a role's files; None: it gives none."""
    if role == "floor" and place.held_out_path is not None:
        return place.held_out_path
    found: str | None = getattr(place, PATHS[role])
    return found


def files_of(role: str, place: Place, source: Source) -> Sequence[Path | str]:
    """The files of a role, which are where the study says. Raises Missing, BadInput, OSError."""
    path = where(role, place)
    if path is None or (role in SPLITS and source.made):
        return []
    if role not in SPLITS:
        return everything(path)
    return source.listing(path, "train" if path == place.held_out_path else SPLITS[role])

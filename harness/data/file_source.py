"""What the data sources that read files share, and how a split's files are told by their names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.components.source import Source, Split, Wanted
from harness.data.embedded import EMBEDDED
from harness.errors import BadInput, Missing

# As published sets call the images that are not for training. "test" comes last: where there are
# both, it often has no labels.
HELD_OUT_NAMES = ("validation", "valid", "val", "test")


class FileSource(Source):
    """A source that reads files which lie at data.path."""

    def check(self, data: Any) -> None:
        """Raises BadInput for an embedded set's name, and for classes where there are no labels."""
        if data.name in EMBEDDED:
            raise BadInput(
                f"data.name {data.name!r} is an embedded set's, and source {self.name!r} reads "
                "files: give these data a name of their own"
            )

    def path_of(self, wanted: Wanted) -> Path:
        """Where the files lie. Raises BadInput where the study does not say, Missing if nowhere."""
        if wanted.path is None:
            raise BadInput(f"data {wanted.name!r} is read from files: give data.path")
        path = Path(wanted.path)
        if not path.exists():
            raise Missing(f"{path} is not there: give data.path {self.layout}")
        return path


def of_split(paths: Sequence[Path], split: Split) -> list[Path]:
    """The files that serve a split, by the words in their names, in the order of names.

    Training, references and extractors take those with `train` in their names, floors those of
    HELD_OUT_NAMES; where no name says anything, all files serve every split.
    """
    named = sorted(paths, key=lambda path: path.name)
    held_out = [path for path in named if _held_out(path.name)]
    if split == "floor":
        for word in HELD_OUT_NAMES:
            if found := [path for path in held_out if word in path.name.lower()]:
                return found
        return named
    train = [path for path in named if "train" in path.name.lower() and path not in held_out]
    return train or [path for path in named if path not in held_out] or named


def _held_out(name: str) -> bool:
    lower = name.lower()
    return "train" not in lower and any(word in lower for word in HELD_OUT_NAMES)


def content_sha256(paths: Sequence[Path]) -> str:
    """SHA-256 over the files' names and contents, in order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\0{os.stat(path).st_size}\n".encode(errors="surrogateescape"))
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()

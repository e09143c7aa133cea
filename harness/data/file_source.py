"""The common part of sources that read files, and how names tell which split a file is of."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.components.source import Images, Source, Split, Wanted
from harness.data.embedded import EMBEDDED
from harness.errors import BadInput, HarnessError, Missing

# As published sets call the images that are not for training. "test" comes last: where there are
# both, it often has no labels.
HELD_OUT_NAMES = ("validation", "valid", "val", "test")


QUICK_BYTES = 1 << 28  # of files that are opened each time that a study is looked at


class FileSource(Source):
    """A source that reads files which lie at data.path."""

    def check(self, data: Any) -> None:
        """Raises BadInput for an embedded set's name, and for classes where there are no labels."""
        if data.name in EMBEDDED:
            raise BadInput(
                f"data.name {data.name!r} is an embedded set's, and source {self.name!r} reads "
                "files: give these data a name of their own"
            )

    def floors_apart(self, path: str) -> bool | None:
        """Are there files of their own for floors?"""
        try:
            return list(self.listing(path, "floor")) != list(self.listing(path, "train"))
        except (HarnessError, OSError):
            return None  # said where they are opened

    def quick_open(self, wanted: Wanted) -> Images | None:
        """The images of files that are small together."""
        return self.open(wanted) if small(self.listing(str(wanted.path))) else None

    def path_of(self, wanted: Wanted) -> Path:
        """Where the files lie. Raises BadInput where the study does not say, Missing if nowhere."""
        if wanted.path is None:
            raise BadInput(f"data {wanted.name!r} is read from files: give data.path")
        path = Path(wanted.path)
        if not path.exists():
            raise Missing(f"{path} is not there: give data.path {self.layout}")
        return path


def small(files: Sequence[Path | str]) -> bool:
    """Are files so small that they can be opened whenever somebody looks? Raises OSError."""
    total = 0
    for file in files:
        total += os.stat(file).st_size
        if total > QUICK_BYTES:
            return False
    return True


def of_split(paths: Sequence[Path], split: Split) -> list[Path]:
    """The files that serve a split, by the words in their names, in the order of names.

    Training, references and extractors take those with `train` in their names, floors those of
    HELD_OUT_NAMES. Where no name tells them apart, all files serve every split; so two splits have
    the same files or no file in common, and no floor is measured of a reference's own images.
    """
    named = sorted(paths, key=lambda path: path.name)
    train = [path for path in named if _says(path.name, "train")]
    held_out: list[Path] = []
    for word in HELD_OUT_NAMES:
        held_out = [path for path in named if path not in train and _says(path.name, word)]
        if held_out:
            break
    if not train:  # what nothing says is held out; without such files, what the floor leaves over
        other = [p for p in named if not any(_says(p.name, word) for word in HELD_OUT_NAMES)]
        train = other or [path for path in named if path not in held_out] or named
    return held_out if split == "floor" and held_out else train


def _says(name: str, word: str) -> bool:
    """Does a file's name say that it is one of training, or held out? "latest" is no test.

    As a word of its own, or as data sets are called: x_test, Xtrain, trainset, testing.
    """
    return (
        re.search(rf"(?<![a-z])[xy]?{word}(ing|set|data|[xy])?(?![a-z])", name.lower()) is not None
    )


def content_sha256(paths: Sequence[Path]) -> str:
    """SHA-256 over the files' names and contents, in order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\0{os.stat(path).st_size}\n".encode(errors="surrogateescape"))
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()

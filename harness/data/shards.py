"""Tar shards as WebDataset writes them, read at random without unpacking.

Members of one sample share a name up to the first dot: 0042.jpg with 0042.cls (the label as text)
or 0042.json (its "label" or "cls"). Where there are no such labels, members named like ImageNet's
own class archives (n01440764.tar holding n01440764_10026.JPEG) take the class from the archive.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.components.below import is_litter
from harness.data import headers
from harness.data.file_source import of_split
from harness.data.folder import of_other_kinds, split_folder
from harness.data.headers import NO_LABEL
from harness.data.images import Corrupt, read_image
from harness.errors import BadInput, Missing

PACKED_NAMES = (
    ".gz",
    ".tgz",
    ".xz",
    ".txz",
    ".zst",
    ".bz2",
    ".tbz",
    ".tbz2",
    ".lz4",
    ".zip",
    ".7z",
)


@dataclass(frozen=True)
class Member:
    """Where the bytes of one image lie."""

    tar: int  # position in TarShards.tars
    name: str
    offset: int  # bytes from the start of the tar
    size: int  # bytes
    label: int


class TarShards:
    """All images of the tars below `root` (or of one tar file), in the order of names.

    The headers are read once, at the start; an image is then one seek and one read. With `index`, a
    folder, their contents are kept there for the next process that opens the same tars (recognised
    by their paths, sizes and times). class_names: 0 to num_classes - 1 (by default up to the
    largest label found), or the class archives' names. Tars with `split` in their names are
    preferred to others beside them. Raises Missing if there is no tar, BadInput if one is
    compressed, cut off, or without labels.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        num_classes: int | None = None,
        index: str | Path | None = None,
    ) -> None:
        self.tars = find_tars(Path(root), split)
        found = headers.read(self.tars, None if index is None else Path(index))
        self.passed_over: dict[str, int] = json.loads(str(found.others))
        left_out = of_other_kinds(self.passed_over)
        if not len(found):
            many = f"the {len(self.tars)} tar files hold" if len(self.tars) > 1 else "its tar holds"
            why = f" but {left_out}" if left_out else ""
            raise BadInput(f"{root}: {many} no images{why}")
        self.notes = [f"{root}: left out are {left_out}"] if left_out else []
        self._found = found
        self.labels = found.labels  # (N,) int64
        unlabelled = found.labels == NO_LABEL
        if unlabelled.all():
            self.class_names, self.labels = self._class_archives()
            return
        if unlabelled.any():
            k, count = int(unlabelled.argmax()), int(unlabelled.sum())
            others = f", and {count - 1:,} other images have none" if count > 1 else ""
            raise BadInput(
                f"{self.tars[found.tar[k]]}: {found.name(k)} has no label{others}; each needs a "
                '.cls or .json member of the same name (json: "label" or "cls")'
            )
        smallest, largest = int(self.labels.min()), int(self.labels.max())
        count = largest + 1 if num_classes is None else num_classes
        if smallest < 0 or largest >= count:
            raise BadInput(
                f"{root}: labels {smallest} to {largest}; expected 0 to {count - 1}"
                + (" (data.num_classes)" if num_classes is not None else "")
            )
        self.class_names = [str(label) for label in range(count)]

    def _class_archives(self) -> tuple[list[str], np.ndarray]:
        """Class names and labels by the tars' names, where those are the classes'."""
        for k in range(len(self)):
            tar, name = self.tars[self._found.tar[k]], self._found.name(k)
            if not posixpath.basename(name).startswith(f"{tar.stem}_"):
                raise BadInput(
                    f"{tar}: {name} has no label; each image needs a .cls "
                    'or .json member of the same name (json: "label" or "cls")'
                )
        used = np.unique(self._found.tar)
        names = sorted({self.tars[k].stem for k in used})
        number = np.zeros(len(self.tars), dtype=np.int64)
        number[used] = [names.index(self.tars[k].stem) for k in used]
        return names, number[self._found.tar]

    def member(self, index: int) -> Member:
        """Where the image with this index lies: tar, name, offset and size in bytes."""
        found = self._found
        return Member(
            int(found.tar[index]),
            found.name(index),
            int(found.offset[index]),
            int(found.size[index]),
            int(self.labels[index]),
        )

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        member = self.member(index)
        path = f"{self.tars[member.tar].name}/{member.name}"
        try:
            with open(self.tars[member.tar], "rb") as file:
                file.seek(member.offset)
                content = file.read(member.size)
        except OSError as error:
            raise Corrupt(path, f"cannot be read ({error.strerror})") from None
        return read_image(content, path), member.label

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the list of members: tar, name, size and label (not contents)."""
        found, tars = self._found, [tar.name for tar in self.tars]
        columns = (found.tar.tolist(), found.names(), found.size.tolist(), self.labels.tolist())
        rows = zip(*columns, strict=True)
        lines = [f"{tars[tar]}\0{name}\0{size}\0{label}\n" for tar, name, size, label in rows]
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def find_tars(root: Path, split: str) -> list[Path]:
    """The tars of a split ("train", "val" or "all") below `root`, or the one that it is.

    Where names say which are for training or held out, the split's own (file_source.of_split).
    Raises Missing and BadInput.
    """
    if root.is_file():
        return [root]
    place = split_folder(root, split)
    names = sorted(name for name in os.listdir(place) if not name.startswith("."))
    tars = [name for name in names if name.endswith(".tar") and not is_litter(name)]
    packed = [name for name in names if name.endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.zst"))]
    packed += [name for name in names if not tars and name.lower().endswith(PACKED_NAMES)]
    if packed:
        raise BadInput(
            f"{place / packed[0]} is compressed and cannot be read at random; unpack it to .tar "
            "(images hardly compress)"
        )
    if not tars:
        upper = [name for name in names if name.lower().endswith(".tar")]
        hint = f"; end the name of {upper[0]} in .tar" if upper else ""
        raise Missing(
            f"{place} holds no .tar files; give data.path the folder with the shards{hint}"
        )
    paths = [place / name for name in tars]
    known: dict[str, Path] = {}
    for path in paths:
        if (other := known.setdefault(os.path.realpath(path), path)) is not path:
            raise BadInput(
                f"{other} and {path} are one file (a link): its images would count twice; remove "
                "the link"
            )
    if split == "all":
        return paths
    # imagenet1k-train-0000.tar beside imagenet1k-validation-00.tar: take the split's own.
    return of_split(paths, "floor" if split == "val" else "train")

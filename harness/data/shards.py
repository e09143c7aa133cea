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
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.data.folder import EXTENSIONS, split_folder
from harness.data.images import Corrupt, read_image
from harness.errors import BadInput, Missing


@dataclass(frozen=True, slots=True)  # ImageNet has a million
class Member:
    """Where the bytes of one image lie."""

    tar: int  # position in TarShards.tars
    name: str
    offset: int  # bytes from the start of the tar
    size: int  # bytes
    label: int


class TarShards:
    """All images of the tars below `root` (or of one tar file), in the order of names.

    The headers are read once, at the start; an image is then one seek and one read.
    class_names: 0 to num_classes - 1 (by default up to the largest label found), or the class
    archives' names. Tars with `split` in their names are preferred to others beside them.
    Raises Missing if there is no tar, BadInput if one is compressed, cut off, or without labels.
    """

    def __init__(
        self, root: str | Path, split: str = "train", num_classes: int | None = None
    ) -> None:
        self.tars = _find_tars(Path(root), split)
        found: list[tuple[int, str, int, int, str | int | None]] = []
        for k, path in enumerate(self.tars):
            found.extend((k, *member) for member in _read_headers(path))
        if not found:
            raise BadInput(f"{root}: the {len(self.tars)} tar files hold no images")
        labels = [label for *_, label in found]
        if all(label is None for label in labels):
            classes = [_class_archive(self.tars[k], name) for k, name, *_ in found]
            missing = next((m for m, c in zip(found, classes, strict=True) if c is None), None)
            if missing is not None:
                raise BadInput(
                    f"{self.tars[missing[0]]}: {missing[1]} has no label; each image needs a .cls "
                    'or .json member of the same name (json: "label" or "cls")'
                )
            self.class_names = sorted({name for name in classes if name is not None})
            number = {name: label for label, name in enumerate(self.class_names)}
            labels = [number[name] for name in classes if name is not None]
        else:
            numbers = [label for label in labels if isinstance(label, int)]
            for (k, name, *_), label in zip(found, labels, strict=True):
                if not isinstance(label, int):
                    problem = "no label" if label is None else f"the label {label!r}"
                    raise BadInput(
                        f"{self.tars[k]}: {name} has {problem}; labels are integers from 0"
                    )
            smallest, largest = min(numbers), max(numbers)
            count = largest + 1 if num_classes is None else num_classes
            if smallest < 0 or largest >= count:
                raise BadInput(
                    f"{root}: labels {smallest} to {largest}; expected 0 to {count - 1}"
                    + (" (data.num_classes)" if num_classes is not None else "")
                )
            self.class_names = [str(label) for label in range(count)]
        self.members = [
            Member(tar, name, offset, size, label)
            for (tar, name, offset, size, _), label in zip(found, labels, strict=True)
            if isinstance(label, int)
        ]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        member = self.members[index]
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
        digest = hashlib.sha256()
        for m in self.members:
            digest.update(f"{self.tars[m.tar].name}\0{m.name}\0{m.size}\0{m.label}\n".encode())
        return digest.hexdigest()


def _find_tars(root: Path, split: str) -> list[Path]:
    if root.is_file():
        return [root]
    place = split_folder(root, split)
    names = sorted(name for name in os.listdir(place) if not name.startswith("."))
    # imagenet1k-train-0000.tar beside imagenet1k-validation-00.tar: take the split's own.
    tars = [name for name in names if name.endswith(".tar")]
    packed = [name for name in names if name.endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.zst"))]
    if packed:
        raise BadInput(
            f"{place / packed[0]} is compressed and cannot be read at random; unpack it to .tar "
            "(images hardly compress)"
        )
    tars = [name for name in tars if split in name] or tars
    if not tars:
        raise Missing(f"{place} holds no .tar files; give data.path the folder with the shards")
    return [place / name for name in tars]


def _read_headers(path: Path) -> list[tuple[str, int, int, str | int | None]]:
    """(name, offset, size, label) of each image in a tar, in the tar's order."""
    images: list[tuple[str, int, int]] = []
    labels: dict[str, str | int] = {}  # a .cls wins over a .json
    end = os.path.getsize(path)
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                if not info.isfile():
                    continue
                if info.offset_data + info.size > end:
                    raise BadInput(f"{path} is cut off at {info.name}; copy it again")
                extension = posixpath.splitext(info.name)[1].lower()
                if extension in EXTENSIONS:
                    images.append((info.name, info.offset_data, info.size))
                elif extension in (".cls", ".json"):
                    content = tar.extractfile(info)
                    assert content is not None  # it is a file
                    label = _label(content.read(), extension)
                    if label is not None and extension == ".cls":
                        labels[_sample(info.name)] = label
                    elif label is not None:
                        labels.setdefault(_sample(info.name), label)
    except (tarfile.TarError, OSError) as error:
        raise BadInput(f"{path} cannot be read as a tar: {error}") from None
    return [(name, offset, size, labels.get(_sample(name))) for name, offset, size in images]


def _sample(name: str) -> str:
    """What a sample's members share of their names: up to the base name's first dot."""
    folder, base = posixpath.split(name)
    return posixpath.join(folder, base.split(".")[0])


def _label(content: bytes, extension: str) -> str | int | None:
    """A label as an integer; other text as it stands, for the error; None without a label."""
    try:
        text = content.decode()
        if extension == ".cls":
            return int(text)
        found = json.loads(text)
        value = found.get("label", found.get("cls")) if isinstance(found, dict) else found
        return None if value is None or isinstance(value, (dict, list)) else int(value)
    except (ValueError, UnicodeDecodeError):
        return content[:40].decode(errors="replace").strip()


def _class_archive(tar: Path, member: str) -> str | None:
    """The class of a member of a class archive: n01440764 for n01440764.tar/n01440764_1.JPEG."""
    return tar.stem if posixpath.basename(member).startswith(f"{tar.stem}_") else None

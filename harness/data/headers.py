"""The headers of tar files: where their images lie and which labels they have.

A million headers are read once and kept (`read`, with a folder for the index): over a network each
costs a journey, and Python's tarfile half a minute of processor time for each 300,000.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import posixpath
import re
import tarfile
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.components.below import is_litter_member
from harness.data import not_tar, npz
from harness.data.folder import EXTENSIONS, OTHER_IMAGES
from harness.errors import BadInput

NO_LABEL = -(2**63)
LABELS = (".cls", ".json")  # a sample's label is taken from the first it has
DIGITS = re.compile(r"\s*[0-9]+\s*")
FORMAT = 4
THREADS = 8  # tars read at the same time: on a network, most of it is waiting
PIECE = 1 << 20
BLOCK = 512  # bytes of a header; contents are padded to it
AHEAD = 4096  # bytes read at a header: also what small members and their labels need


@dataclass(frozen=True)
class Found:
    """The images of some tars, in order, as columns: a million of them in 60 MB."""

    tar: np.ndarray  # (N,) int32, position in the list of tars
    offset: np.ndarray  # (N,) int64, bytes from the start of the tar
    size: np.ndarray  # (N,) int64, bytes
    labels: np.ndarray  # (N,) int64, NO_LABEL where there is none
    text: np.ndarray  # uint8, the names one after another, UTF-8
    ends: np.ndarray  # (N,) int64, where each ends in `text`
    others: np.ndarray  # text of JSON: how many members are images of a kind that is not read

    def __len__(self) -> int:
        return len(self.tar)

    def name(self, index: int) -> str:
        """The name of the image with this index."""
        start = int(self.ends[index - 1]) if index else 0
        return _decode(self.text[start : int(self.ends[index])].tobytes())

    def names(self) -> list[str]:
        """The names of all images, in their order."""
        whole, ends = self.text.tobytes(), [0, *self.ends.tolist()]
        return [_decode(whole[a:b]) for a, b in itertools.pairwise(ends)]


def read(tars: list[Path], index: Path | None = None) -> Found:
    """The images of the tars: from the index if it has them, else read, and written to the index.

    Raises BadInput for a file that is cut off or not a tar, for labels that are no integers from 0,
    and for a sample of two images or two labels.
    """
    place = None if index is None else index / f"tars-{_identity(tars)}.npz"
    if place is not None and (kept := _kept(place)) is not None:
        return kept
    with ThreadPoolExecutor(min(THREADS, max(1, len(tars)))) as pool:
        counts = [Counter[str]() for _ in tars]
        every = pool.map(images_of, tars, counts)
        rows = [(k, *row) for k, found in enumerate(every) for row in found]
    names = [row[1].encode("utf-8", "surrogateescape") for row in rows]
    found = Found(
        tar=np.array([row[0] for row in rows], dtype=np.int32),
        offset=np.array([row[2] for row in rows], dtype=np.int64),
        size=np.array([row[3] for row in rows], dtype=np.int64),
        labels=np.array([row[4] for row in rows], dtype=np.int64),
        text=np.frombuffer(b"".join(names), dtype=np.uint8),
        ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        others=np.array(json.dumps(sum(counts, Counter()))),
    )
    if place is not None:
        _keep(place, found)
    return found


def images_of(path: Path, others: Counter[str] | None = None) -> list[tuple[str, int, int, int]]:
    """(name, offset, size, label) of each image in a tar, in the tar's order.

    others: counts members that are images of a kind that is not read, by their extensions.
    """
    others = Counter() if others is None else others
    images: list[tuple[str, int, int]] = []
    labels: Labels = {extension: {} for extension in LABELS}
    odd: dict[str, str] = {}
    try:
        if not path.is_file() and path.exists():  # a pipe would be waited for
            raise BadInput(f"{path} is not a file: give data.path the folder with the tars")
        with open(path, "rb", buffering=0) as file:
            end = os.fstat(file.fileno()).st_size
            if end == 0:
                raise BadInput(f"{path} is empty (0 bytes): an interrupted copy; copy it again")
            try:
                _sort_out(path, _plain_members(file.fileno(), end), end, images, labels, others)
            except _NotPlain:
                images, labels = [], {extension: {} for extension in LABELS}
                others.clear()
                _sort_out(path, _members(path, odd), end, images, labels, others)
                if any(os.pread(file.fileno(), BLOCK, max(0, end - BLOCK))):
                    raise _NoEnd from None
    except _NoEnd:
        raise BadInput(
            f"{path} has no end (two blocks of zeros): it was cut off between two members, or who "
            "wrote it was stopped; copy or pack it again. Where it is known to be whole, "
            f"`head -c {2 * BLOCK} /dev/zero >> {path}` gives it one"
        ) from None
    except _MoreFollows as error:
        raise BadInput(
            f"{path}: more follows behind its end at byte {error.end:,}, and would be lost: two "
            "archives were put one after another, or a copy has a hole; pack or copy it again"
        ) from None
    except (tarfile.TarError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise not_tar.error(path, str(why)) from None
    _refuse_lost(path, odd, images, labels)
    rows = []
    first: dict[str, str] = {}  # image by sample
    for name, offset, size in images:
        sample = _sample(name)
        if sample in first:
            raise BadInput(
                f"{path}: the sample {sample} has two images, {first[sample]} and {name}: names "
                "that agree up to the first dot are one sample's; leave one out or rename it"
            )
        first[sample] = name
        label = next((labels[e][sample] for e in LABELS if sample in labels[e]), NO_LABEL)
        if isinstance(label, str):
            raise BadInput(f"{path}: {name} has the label {label!r}; labels are integers from 0")
        rows.append((name, offset, size, label))
    return rows


def _refuse_lost(
    path: Path, odd: dict[str, str], images: list[tuple[str, int, int]], labels: Labels
) -> None:
    """Raise BadInput where a sample is lost because its image or its label is no file."""
    there = {_sample(name) for name, *_ in images}.union(*labels.values())
    lost = [name for name in odd if _sample(name) in there]
    if lost:
        others = f" (and {len(lost) - 1:,} other members are no files)" if len(lost) > 1 else ""
        raise BadInput(
            f"{path}: {lost[0]} is {odd[lost[0]]}{others}; pack the tar again with --dereference"
        )


# By extension and the sample's name; a text is no label, and kept for the error.
Labels = dict[str, dict[str, int | str]]

# A member: its name, where its content lies, and a way to its first bytes.
Members = Iterator[tuple[str, int, int, bytes | None]]


class _NotPlain(Exception):
    """A header of another kind than a short name and a file or folder: tarfile knows them all."""


def _plain_members(handle: int, end: int) -> Members:
    """(name, offset, size, content if it is small) of the files in a tar without extensions.

    The tar format is POSIX 1003.1-1990, ustar. Raises _NotPlain at the first header that is not it.
    """
    position, start, held = 0, 0, b""
    while position < end:
        at = position - start
        if at < 0 or at + BLOCK > len(held):
            start, held, at = position, os.pread(handle, AHEAD, position), 0
        header = held[at : at + BLOCK]
        if len(header) < BLOCK:
            raise _NotPlain
        kind = header[156]
        if header[0] == 0 and not any(header):  # two blocks of zeros end a tar
            _nothing_follows(handle, position, end)
            return
        try:
            stated, size = (
                int(header[148:156].strip(b" \0"), 8),
                int(header[124:136].strip(b" \0"), 8),
            )
        except ValueError:
            raise _NotPlain from None
        if (
            size < 0
            or stated != sum(header) - sum(header[148:156]) + 8 * 32
            or kind not in b"0\0" + b"5"
        ):
            raise _NotPlain
        name = header[:100].split(b"\0", 1)[0]
        if header[257:263] == b"ustar\0" and header[345]:
            name = header[345:500].split(b"\0", 1)[0] + b"/" + name
        content = position + BLOCK
        if kind != ord("5") and not name.endswith(b"/"):
            at += BLOCK
            small = held[at : at + size] if at + size <= len(held) else None
            yield _decode(name), content, size, small
        position = content + -(-size // BLOCK) * BLOCK
    if position > end:
        raise _NotPlain  # cut off
    raise _NoEnd


class _NoEnd(Exception):
    """A tar stops between two members, without the two blocks of zeros that end one."""


class _MoreFollows(Exception):
    """Something else follows the end of a tar, which is zeros."""

    def __init__(self, end: int) -> None:
        self.end = end


def _nothing_follows(handle: int, position: int, end: int) -> None:
    """Raise _MoreFollows unless all is zero from here on: a reader that stops here would miss the
    rest."""
    for start in range(position, end, PIECE):
        if any(os.pread(handle, PIECE, start)):
            raise _MoreFollows(position)


def _members(path: Path, odd: dict[str, str]) -> Members:
    """The same of any tar, hard links as the files they name, which GNU tar writes before them.

    odd: is given the images and labels that are no files, and what they are. Raises BadInput where
    tarfile would take damage for the tar's end, for a link to nothing and for a sparse file.
    """
    files: dict[str, tuple[int, int]] = {}
    with tarfile.open(path, "r:") as tar:
        for info in tar:
            if info.islnk():
                content = files.get(posixpath.normpath(info.linkname))
                if content is None and _extension(info.name) in {*EXTENSIONS, *LABELS}:
                    raise BadInput(
                        f"{path}: {info.name} is a hard link to {info.linkname}, which does not "
                        "come before it; pack the tar again with --hard-dereference"
                    )
            else:
                content = (info.offset_data, info.size) if info.isfile() else None
                named = not info.isdir() and _extension(info.name) in {*EXTENSIONS, *LABELS}
                if named and not is_litter_member(info.name) and (what := _odd(path, info)):
                    odd[info.name] = what
            if content is not None:
                files[posixpath.normpath(info.name)] = content
                yield info.name, *content, None
        last = tar.offset
    with open(path, "rb") as file:
        file.seek(last)
        rest = file.read(BLOCK)
    if rest and (len(rest) < BLOCK or any(rest)):
        raise BadInput(f"{path} is cut off or damaged at byte {last:,}; copy it again")
    with open(path, "rb") as file:
        _nothing_follows(file.fileno(), last, os.fstat(file.fileno()).st_size)


def _odd(path: Path, info: tarfile.TarInfo) -> str | None:
    """The kind of a member that is no file, in words. Raises BadInput for a sparse one: its content
    does not lie in one piece."""
    if info.issparse():
        raise BadInput(
            f"{path}: {info.name} is stored with holes (sparse); pack the tar again without "
            "--sparse"
        )
    if info.isfile():
        return None
    return f"a link to {info.linkname}" if info.issym() else "a pipe or device"


def _sort_out(
    path: Path,
    members: Members,
    end: int,
    images: list[tuple[str, int, int]],
    labels: Labels,
    others: Counter[str],
) -> None:
    for name, offset, size, content in members:
        if is_litter_member(name):
            continue
        if offset + size > end:
            raise BadInput(f"{path} is cut off at {name}; copy it again")
        extension = _extension(name)
        if extension in EXTENSIONS:
            images.append((name, offset, size))
        elif extension in OTHER_IMAGES:
            others[extension] += 1
        elif extension in LABELS:
            if content is None:
                with open(path, "rb") as file:
                    file.seek(offset)
                    content = file.read(size)
            label, sample = _label(content, extension), _sample(name)
            if label is not None and labels[extension].setdefault(sample, label) != label:
                raise BadInput(
                    f"{path}: the sample {sample} has two labels in {extension} files, "
                    f"{labels[extension][sample]} and {label}; leave one out"
                )


def _extension(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def _sample(name: str) -> str:
    """The part of a name that all members of one sample share: up to the base name's first dot."""
    folder, base = posixpath.split(posixpath.normpath(name))  # ./0.png and 0.cls are one sample's
    return posixpath.join(folder, base.split(".")[0])


def _label(content: bytes, extension: str) -> int | str | None:
    """A label as an integer; the content of one that is none, for the error; None without."""
    try:
        value: Any = content.decode()
        if extension == ".json":
            found = json.loads(value)
            value = found.get("label", found.get("cls")) if isinstance(found, dict) else found
            if value is None or isinstance(value, (dict, list)):
                return None
        # 2.7 and true are not to be rounded, nor any other text that `int` would take
        if type(value) is int or (isinstance(value, str) and DIGITS.fullmatch(value)):
            label = int(value)
            if 0 <= label < 2**63:
                return label
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        pass
    return content[:40].decode(errors="replace").strip()


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


# --- the index ----------------------------------------------------------------------------------


def _identity(tars: list[Path]) -> str:
    """An identity of these tars as they are: another set, or a changed one, has another."""
    digest = hashlib.sha256(f"{FORMAT}\n".encode())
    for path in tars:
        try:
            about = path.stat()
        except OSError as error:
            raise BadInput(f"{path} cannot be read as a tar ({error.strerror})") from None
        digest.update(f"{path.absolute()}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _kept(place: Path) -> Found | None:
    """The content of the index; None where it is absent or damaged."""
    try:
        with np.load(place, allow_pickle=False) as kept:
            return Found(**{name: kept[name] for name in Found.__dataclass_fields__})
    except npz.DAMAGED:  # the tars are read again
        return None


def _keep(place: Path, found: Found) -> None:
    """Advisory: without it the headers are read again. A second writer writes the same."""
    aside = place.with_name(f"_{place.stem}.{uuid.uuid4().hex[:8]}.npz")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(aside, **found.__dict__)
        os.replace(aside, place)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()

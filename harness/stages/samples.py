"""Samples on disk: parts that any number of processes write, merged in order at the end.

A part is an npz of some consecutive samples, `part-START-STOP.npz` in the stage's scratch: images
and, when images are not kept, features. Parts of an interrupted attempt are used, whatever its
batch size and number of processes were; not so those that other weights decoded, whose checksum is
in the name where there are weights: `part-START-STOP-SHA256.npz`, its first 16 digits.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.store import files

SHOWN = 64  # images kept for the report's grid when the others are not
STRIP = 8  # the first samples: of the same noise and labels at every milestone
STRIP_FILE = "strip.npz"  # pruning leaves it
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Part:
    """Samples start to stop, on disk."""

    start: int
    stop: int
    path: Path

    def read(self, name: str) -> np.ndarray:
        """One of its arrays, by name."""
        with np.load(self.path, allow_pickle=False) as content:
            return content[name]  # type: ignore[no-any-return]


def keep(
    scratch: Path, start: int, stop: int, arrays: Arrays, decoder_sha256: str | None = None
) -> None:
    """Keep finished samples over a kill."""
    decoder = [] if decoder_sha256 is None else [decoder_sha256[:16]]
    final = scratch / f"{'-'.join(['part', f'{start:09d}', f'{stop:09d}', *decoder])}.npz"
    aside = scratch / f"_{final.name}"
    try:
        with open(aside, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        files.sync_file(aside)
        aside.rename(final)
    except OSError as error:
        raise files.explain(error, final) from error
    files.sync_folder(scratch)


def finished(scratch: Path, count: int, decoder_sha256: str | None = None) -> list[Part]:
    """The whole parts in scratch that this decoder made, in order and without overlap."""
    wanted = [] if decoder_sha256 is None else [decoder_sha256[:16]]
    found: list[Part] = []
    for path in sorted(scratch.glob("part-*.npz")):
        _, first, last, *decoder = path.stem.split("-")
        start, stop = int(first), int(last)
        if decoder != wanted or start < (found[-1].stop if found else 0) or stop > count:
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    continue  # damaged: sampled again
        except (OSError, zipfile.BadZipFile):
            continue
        found.append(Part(start, stop, path))
    return found


def missing(parts: Iterable[Part], count: int, size: int) -> list[range]:
    """The samples that no part holds, in batches of at most `size`."""
    batches, done = [], 0
    for start, stop in [*((p.start, p.stop) for p in parts), (count, count)]:
        batches += [range(a, min(a + size, start)) for a in range(done, start, size)]
        done = stop
    return batches


def merge(parts: list[Part], name: str) -> Iterator[np.ndarray]:
    """One array of all parts, a part at a time: 50,000 images of 256 x 256 are 9.8 GB."""
    for part in parts:
        yield part.read(name)


def write_npz(path: Path, arrays: dict[str, tuple[tuple[int, ...], Iterable[np.ndarray]]]) -> None:
    """An npz of arrays given as (shape, rows in pieces); the same arrays give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, (shape, pieces) in arrays.items():
            # np.savez would write the time of day
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                for i, piece in enumerate(pieces):
                    if i == 0:
                        header = np.lib.format.header_data_from_array_1_0(piece[:0])
                        header["shape"] = shape
                        np.lib.format.write_array_header_1_0(file, header)
                    file.write(np.ascontiguousarray(piece).tobytes())


def write_folder(folder: Path, images: Iterable[np.ndarray]) -> None:
    """One PNG per sample, 000000.png and on."""
    from PIL import Image

    folder.mkdir()
    number = 0
    for piece in images:
        for image in piece:
            gray = image.shape[2] == 1
            Image.fromarray(image[..., 0] if gray else image).save(folder / f"{number:06d}.png")
            number += 1


def read_images(folder: Path, size: int) -> Iterator[np.ndarray]:
    """The images of a committed sample stage, uint8 (<= size, H, W, C), in order."""
    if (folder / "images").is_dir():
        from PIL import Image

        paths = sorted((folder / "images").glob("*.png"))
        for start in range(0, len(paths), size):
            batch = [np.asarray(Image.open(p)) for p in paths[start : start + size]]
            yield np.stack([x[..., None] if x.ndim == 2 else x for x in batch])
        return
    with (
        zipfile.ZipFile(folder / "samples.npz") as archive,
        archive.open("arr_0.npy") as file,
    ):
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        row = int(np.prod(shape[1:]))
        for start in range(0, shape[0], size):
            n = min(size, shape[0] - start)
            yield np.frombuffer(file.read(n * row), dtype=dtype).reshape(n, *shape[1:])


def write_strip(folder: Path, images: Iterable[np.ndarray]) -> None:
    """Keep the first samples, uint8 (STRIP, H, W, C) in all, beside those that may be pruned."""
    first: list[np.ndarray] = []
    for piece in images:
        first.append(np.asarray(piece[: STRIP - sum(map(len, first))]))
        if sum(map(len, first)) == STRIP:
            break
    strip = np.concatenate(first)
    write_npz(folder / STRIP_FILE, {"arr_0": (strip.shape, [strip])})


def read_strip(folder: Path) -> np.ndarray | None:
    """The first samples of a sample stage's folder, uint8 (<= STRIP, H, W, C), pruned or not.

    None where they cannot be had: not committed, pruned before strips were kept, or damaged.
    """
    try:
        if (folder / STRIP_FILE).is_file():
            with np.load(folder / STRIP_FILE, allow_pickle=False) as held:
                return held["arr_0"]  # type: ignore[no-any-return]
        return next(read_images(folder, STRIP))
    except (
        *(OSError, EOFError, KeyError, StopIteration, ValueError),
        *(zipfile.BadZipFile, zlib.error),
    ):
        return None

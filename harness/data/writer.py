"""Writing latents: shards that many processes fill, each at most once, resumable at any moment.

A data set of n images is cut into shards of `shard_size` items. A shard is three files,

    shard-00003.npy    the latents (rows of the items that could be read)
    labels-00003.npy   their labels, int64
    shard-00003.json   the commit: settings, sizes, SHA-256 of both, and the corrupt images

each written aside, fsynced and renamed, the last one last. What has no .json is not there. A shard
depends on its items alone, so a resumed encoding equals an undisturbed one byte for byte. `finish`
checks that all are there and writes index.json, which makes the folder readable (latents.Latents).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from harness.data import moments
from harness.errors import BadInput, HarnessError

FORMAT = 1
INDEX = "index.json"
LISTED = 20  # corrupt images shown in an error; index.json has them all


@dataclass(frozen=True)
class LatentSettings:
    """The settings of a folder of latents; equal in all its shards."""

    kind: str  # "pixels": uint8 images; "posterior": mean and standard deviation of both flips
    shape: tuple[int, int, int]  # (C, H, W) of one latent
    dtype: str  # "uint8" for pixels, "float16" or "float32" for posteriors
    items: int  # images in the data set, corrupt ones included
    shard_size: int  # items per shard, corrupt ones included
    num_classes: int  # 0: images without labels
    autoencoder: str  # its name
    autoencoder_sha256: str | None  # of the encoder's weights; None for the identity
    scale: float  # multiplies a drawn posterior sample
    dataset: str  # fingerprint of the images

    def __post_init__(self) -> None:
        dtypes = {"pixels": ("uint8",), "posterior": ("float16", "float32")}
        if self.dtype not in dtypes.get(self.kind, ()):
            raise BadInput(f"latents of kind {self.kind!r} cannot be stored as {self.dtype!r}")
        if self.items < 1 or self.shard_size < 1 or self.num_classes < 0:
            raise BadInput(
                f"nothing to encode: {self.items} images of {self.num_classes} classes, "
                f"{self.shard_size} per shard"
            )

    @property
    def shards(self) -> int:
        """How many shards the images fill; the last may be shorter."""
        return -(-self.items // self.shard_size)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """(C, H, W) for pixels; (flip, mean or std, C, H, W) for posteriors."""
        return self.shape if self.kind == "pixels" else (2, 2, *self.shape)


class LatentWriter:
    """One process's part in writing a folder of latents."""

    def __init__(self, folder: str | Path, settings: LatentSettings) -> None:
        self.folder = Path(folder)
        self.settings = settings
        self.folder.mkdir(parents=True, exist_ok=True)

    def items(self, shard: int) -> range:
        """The data set's items that belong to a shard."""
        start = shard * self.settings.shard_size
        return range(start, min(start + self.settings.shard_size, self.settings.items))

    def missing(self, rank: int = 0, world: int = 1) -> list[int]:
        """The shards that process `rank` of `world` still has to write.

        Shards of other images (another fingerprint: files were repaired or added since) count as
        missing. Raises BadInput if the folder holds shards of another autoencoder or size.
        """
        return [k for k in range(rank, self.settings.shards, world) if self._commit(k) is None]

    def corrupt(self) -> list[dict[str, str]]:
        """The unreadable images of all shards committed so far, by whichever process."""
        commits = [self._commit(k) for k in range(self.settings.shards)]
        return [entry for commit in commits if commit is not None for entry in commit["corrupt"]]

    def write(
        self,
        shard: int,
        latents: np.ndarray,
        labels: np.ndarray,
        corrupt: list[dict[str, str]] | None = None,
        stored: dict[str, int] | None = None,
    ) -> None:
        """Commit one shard: latents (n, *row_shape), labels (n,), and {"path", "reason"} of each
        item that could not be read. n + corrupt is the shard's number of items. stored: how many
        were not as the study wants them, by what they were (gray, alpha, enlarged, ...)."""
        corrupt = corrupt or []
        expected = len(self.items(shard)) - len(corrupt)
        if latents.shape != (expected, *self.settings.row_shape) or labels.shape != (expected,):
            raise BadInput(
                f"shard {shard}: latents {latents.shape} and labels {labels.shape} do not fit "
                f"{expected} rows of {self.settings.row_shape}"
            )
        if str(latents.dtype) != self.settings.dtype:
            raise BadInput(f"shard {shard}: {latents.dtype}, not {self.settings.dtype}")
        files = {
            name: _save(self.folder / name, array)
            for name, array in (
                (shard_name(shard), latents),
                (labels_name(shard), labels.astype(np.int64)),
            )
        }
        commit = {
            "settings": asdict(self.settings),
            "count": len(latents),
            "files": files,
            "corrupt": corrupt,
            "stored": dict(sorted((stored or {}).items())),
            "moments": asdict(moments.of_rows(latents, self.settings.kind, self.settings.scale)),
        }
        _write_json(self.folder / commit_name(shard), commit)

    def finish(self, max_corrupt: int = 0) -> dict[str, Any]:
        """Write index.json once all shards are there; the index.

        Raises HarnessError if a shard is missing, or if more than max_corrupt images were.
        """
        commits = [self._commit(k) for k in range(self.settings.shards)]
        absent = [k for k, commit in enumerate(commits) if commit is None]
        if absent:
            raise HarnessError(
                f"{self.folder}: {len(absent)} of {len(commits)} shards are not written yet "
                f"(the first: {absent[0]}); run the encoding again to write them"
            )
        done = [commit for commit in commits if commit is not None]
        corrupt = [entry for commit in done for entry in commit["corrupt"]]
        check_corrupt(corrupt, max_corrupt)
        if not any(commit["count"] for commit in done):
            raise HarnessError(f"{self.folder}: none of the {self.settings.items} images is left")
        index = {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "count": sum(commit["count"] for commit in done),
            "shards": [{"count": commit["count"], "files": commit["files"]} for commit in done],
            "corrupt": corrupt,
            "stored": _summed([commit.get("stored", {}) for commit in done]),
            "moments": _moments([moments.read(commit.get("moments")) for commit in done]),
        }
        _write_json(self.folder / INDEX, index)
        for left_over in self.folder.glob(".*.partial"):  # of processes that were killed
            left_over.unlink(missing_ok=True)
        return index

    def forget_corrupt(self) -> None:
        """Make shards with unreadable images count as missing: they are read again next time."""
        for shard in range(self.settings.shards):
            if (commit := self._commit(shard)) is not None and commit["corrupt"]:
                (self.folder / commit_name(shard)).unlink()

    def check_space(self, shards: list[int]) -> None:
        """Raise HarnessError, with the bytes missing, if the disk cannot take these shards."""
        row = int(np.prod(self.settings.row_shape)) * np.dtype(self.settings.dtype).itemsize
        needed = sum(len(self.items(shard)) for shard in shards) * (row + 8)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise HarnessError(
                f"{self.folder}: the latents need {needed:,} bytes and the disk has {free:,} free; "
                f"{needed - free:,} bytes are missing: make room and run again"
            )

    def _commit(self, shard: int) -> dict[str, Any] | None:
        """A shard's commit; None if it is not there, not whole, or its files are not."""
        try:
            commit = json.loads((self.folder / commit_name(shard)).read_text())
            settings, files = commit["settings"], commit["files"]
            whole = all(
                (self.folder / name).stat().st_size == entry["bytes"]
                for name, entry in files.items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        found = json.loads(json.dumps(asdict(self.settings)))  # tuples become lists
        differ = [key for key in found if settings.get(key) != found[key]]
        if differ == ["dataset"]:
            return None
        if differ:
            raise BadInput(
                f"{self.folder} holds latents of another encoding ("
                + "; ".join(f"{key}: {settings.get(key)}, not {found[key]}" for key in differ)
                + "); give another folder or remove it"
            )
        return commit if whole else None


def check_corrupt(corrupt: list[dict[str, str]], limit: int) -> None:
    """Raise BadInput, listing them, if there are more corrupt images than the limit."""
    if len(corrupt) <= limit:
        return
    lines = [f"  {entry['path']}: {entry['reason']}" for entry in corrupt[:LISTED]]
    if len(corrupt) > LISTED:
        lines.append(f"  ... and {len(corrupt) - LISTED} more")
    one = len(corrupt) == 1
    raise BadInput(
        f"{len(corrupt):,} {'image' if one else 'images'} cannot be read, more than "
        f"data.max_corrupt ({limit}) allows:\n"
        + "\n".join(lines)
        + f"\nrepair or remove {'it' if one else 'them'}, or raise data.max_corrupt to leave "
        f"{'it' if one else 'them'} out"
    )


def _summed(counts: list[dict[str, int]]) -> dict[str, int]:
    """Counts of images over all shards, by what the images were."""
    names = sorted({name for each in counts for name in each})
    return {name: sum(each.get(name, 0) for each in counts) for name in names}


def _moments(parts: list[moments.Moments | None]) -> dict[str, float] | None:
    """Mean and deviation over all shards; None where a shard of an older version has none."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    whole = sum(known, moments.NONE)
    return {"mean": whole.mean, "std": whole.std}


def shard_name(shard: int) -> str:
    """File of a shard's latents."""
    return f"shard-{shard:05d}.npy"


def labels_name(shard: int) -> str:
    """File of a shard's labels."""
    return f"labels-{shard:05d}.npy"


def commit_name(shard: int) -> str:
    """File that says that a shard is whole."""
    return f"shard-{shard:05d}.json"


def _save(path: Path, array: np.ndarray) -> dict[str, Any]:
    with _aside(path) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        file.seek(0)
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        size = file.tell()
    return {"bytes": size, "sha256": digest.hexdigest()}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with _aside(path) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())


@contextmanager
def _aside(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name whole or not at all, whoever else writes it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.replace(partial, path)
        except FileNotFoundError:
            # Another process committed the same shard, finished, and cleared away.
            if not path.exists():
                raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HarnessError(
                f"the disk is full at {path}; make room and run again, what is written is kept"
            ) from None
        raise
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)

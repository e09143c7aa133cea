"""The index and the labels of a folder of encoded images, read without latents and torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.writer import FORMAT, INDEX, labels_name
from harness.errors import BadInput, Missing, on_one_line


def read_index(folder: Path) -> dict[str, Any]:
    """What a finished folder says of itself. Raises Missing where there is none, and BadInput where
    it cannot be read or is of another format."""
    try:
        index = json.loads((folder / INDEX).read_text())
    except FileNotFoundError:
        raise Missing(
            f"{folder} holds no finished latents (no {INDEX}); run the encode stage first"
        ) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder / INDEX} cannot be read: {error}") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise BadInput(f"{folder / INDEX} is not of format {FORMAT}; encode again")
    return index


def labels_of(folder: str | Path) -> NDArray[np.int64]:
    """The labels of the images encoded in a folder, (count,). Raises what `read_index` does, and
    BadInput for labels that were cut off or altered."""
    folder = Path(folder)
    index, found = read_index(folder), []
    try:
        for k, shard in enumerate(index["shards"]):
            name = labels_name(k)
            check_file(folder / name, shard["files"][name], True)
            found.append(np.load(folder / name, allow_pickle=False))
        return np.concatenate(found).astype(np.int64)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(
            f"{folder / INDEX} is damaged ({on_one_line(error)}); encode again"
        ) from None


def check_file(path: Path, entry: dict[str, Any], checksum: bool) -> None:
    """Raise BadInput unless a file has the size, and with `checksum` the SHA-256, of its entry."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); encode again") from None
    if size != entry["bytes"]:
        raise BadInput(f"{path} has {size} bytes, not {entry['bytes']}: cut off; encode again")
    if not checksum:
        return
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != entry["sha256"]:
        raise BadInput(f"{path} was altered since it was written (checksum); encode again")

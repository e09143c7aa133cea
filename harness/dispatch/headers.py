"""The headers of the files that a study names, read before anything is computed.

A file of statistics that is no npz, or weights that are an empty file, would be refused by the
stage that reads them; by then others have trained. Only headers are read: `plan` asks too.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

TORCH = (b"PK", b"\x80")  # what torch.save begins with: a zip, or an old pickle
FIDELITY = ".pt"  # the ending of torch-fidelity's statistics
LARGEST_HEADER = 100_000_000  # bytes, of a safetensors file


def statistics_problem(path: Path, extractor: Any) -> str | None:
    """Why a file cannot be the reference statistics for `extractor`; None: it can."""
    shapes = _shapes(path)
    if isinstance(shapes, dict) and "about" in shapes:
        return _made_with_another(path, extractor)
    if not extractor.whole_set_statistics:
        return (
            f"the reference statistics {path} are of inception-2015 features, the extractor is "
            f"{extractor.name}: leave them out (the reference is then made of images), or choose "
            "inception-2015"
        )
    if path.suffix == FIDELITY and path.is_file():
        with open(path, "rb") as file:
            known = file.read(8).startswith(TORCH)
        return None if known else f"the reference statistics {path} are no file of torch's"
    if isinstance(shapes, str):
        return f"the reference statistics {path} {shapes}"
    lacking = [name for name in ("mu", "sigma") if name not in shapes]
    if lacking:
        return (
            f"the reference statistics {path} have no {' and '.join(lacking)} "
            f"(it holds {', '.join(shapes) or 'nothing'})"
        )
    for part, mean, covariance in (("pool", "mu", "sigma"), ("spatial", "mu_s", "sigma_s")):
        size = extractor.width(part, 0)
        if size is None or mean not in shapes or covariance not in shapes:
            continue
        if shapes[mean] != (size,) or shapes[covariance] != (size, size):
            found = f"{_words(shapes[mean])} and {_words(shapes[covariance])}"
            return (
                f"the reference statistics {path} are of other features: {mean} and {covariance} "
                f"are {found}, {extractor.name} has {size:,} {part} features"
            )
    return None


def _made_with_another(path: Path, extractor: Any) -> str | None:
    """Why what `statistics` or a reference stage wrote is of other features; None: it is not."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            made_with = json.loads(str(file["about"]))["extractor"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        return f"the reference statistics {path} cannot be read: {type(error).__name__}"
    if made_with == extractor.name:
        return None
    return (
        f"the reference statistics {path} are of {made_with} features, the extractor is "
        f"{extractor.name}: make them anew (`statistics --extractor {extractor.name}`), or leave "
        "them out"
    )


def _words(shape: tuple[int, ...]) -> str:
    """(2048, 2048) as people write it: 2048 x 2048."""
    return " x ".join(map(str, shape)) or "one number"


def _shapes(path: Path) -> dict[str, tuple[int, ...]] | str:
    """The shapes of the arrays in an npz by name; in words, why it cannot be read."""
    from numpy.lib import format as npy

    if path.is_dir():
        return "are a folder, and should be an npz file"
    found: dict[str, tuple[int, ...]] = {}
    try:
        if not path.stat().st_size:
            return "are an empty file (0 bytes)"
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    version = npy.read_magic(member)
                    read = npy.read_array_header_1_0 if version == (1, 0) else None
                    read = read or npy.read_array_header_2_0
                    shape, _, _ = read(member)
                    found[name.removesuffix(".npy")] = shape
    except zipfile.BadZipFile:
        return "are no npz file, or one that is cut off"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except Exception as error:  # whatever a damaged archive makes of NumPy's reader
        return f"cannot be read: {type(error).__name__}"
    return found


def weights_problem(path: Path) -> str | None:
    """Why a file cannot hold weights; None: it may. A folder is its reader's to judge."""
    if path.is_dir():
        return None
    try:
        size = path.stat().st_size
        if not size:
            return f"the weights {path} are an empty file (0 bytes)"
        with open(path, "rb") as file:
            begin = file.read(8)
            length = int.from_bytes(begin, "little")
            if path.suffix == ".safetensors":
                if size < 8 or length > min(size - 8, LARGEST_HEADER):
                    return f"the weights {path} are no safetensors file, or one that is cut off"
                json.loads(file.read(length))
            elif path.suffix in (".pt", ".pth") and not begin.startswith(TORCH):
                return f"the weights {path} are no file of torch's"
    except OSError as error:
        return f"the weights {path} cannot be read: {error.strerror}"
    except ValueError:
        return f"the weights {path} are no safetensors file: its header is damaged"
    return None


def folder_problem(path: Path) -> str | None:
    """Why images cannot lie at a path that is there; None: they may."""
    try:
        if path.is_dir():
            return None if any(path.iterdir()) else f"the folder {path} is empty"
        return None if path.stat().st_size else f"{path} is an empty file (0 bytes)"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"

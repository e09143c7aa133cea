"""Files of reference statistics: ours, ADM's, and those of other programs that measure FID.

What `harness statistics` and a reference stage write says which extractor made it. ADM's npz has
`mu, sigma, mu_s, sigma_s` of Inception-2015, pytorch-fid's and clean-fid's `mu, sigma` alone, and
torch-fidelity's cache is a `.pt` of `mu` and `sigma`, whose network and resize are ours.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.components.metric import INCEPTION
from harness.errors import BadInput, Missing
from harness.metrics.images import open_images, open_npz
from harness.metrics.reference import Reference, check_dimensions, given_moments

if TYPE_CHECKING:
    from harness.metrics.extractors import Extractor  # type: ignore[attr-defined]
    from harness.metrics.resized import Images

FIDELITY = ".pt"  # the ending of torch-fidelity's cache


def holds_statistics(path: Path | str) -> bool:
    """Does a file hold statistics (and not images alone)? Reads its header."""
    path = Path(path)
    if not path.is_file():
        return False
    if path.suffix == FIDELITY:
        return True
    npz = open_npz(path)
    return "mu" in npz or "about" in npz


def images_at(path: Path | str, extractor: str, resize: int | None = None) -> Images | None:
    """The images at `path`, or those in a file of statistics; None where it has none.

    resize: pixels a side that they are brought to. The images in statistics of Inception-2015 are
    part of what was published, and stay as they are.
    """
    statistics = holds_statistics(path)
    if statistics and (Path(path).suffix == FIDELITY or "arr_0" not in open_npz(Path(path))):
        return None
    return open_images(path, None if statistics and extractor == INCEPTION else resize)


def read_statistics(
    path: Path | str,
    extractor: Extractor,
    *,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Reference:
    """The statistics at `path`, which are of the extractor's features.

    Raises Missing where nothing is there, BadInput for another file, another extractor or other
    weights of it.
    """
    path = Path(path)
    if path.suffix == FIDELITY:
        return _of_torch_fidelity(path, extractor)
    if "about" not in open_npz(path):
        return Reference.from_adm(path, extractor, batch_size=batch_size, progress=progress)
    reference = Reference.load(path)
    if (reference.extractor, reference.extractor_sha256) != (extractor.name, extractor.sha256):
        raise BadInput(
            f"{path}: made with {reference.extractor} ({reference.extractor_sha256[:12]}), "
            f"not with {extractor.name} ({extractor.sha256[:12]})"
        )
    return reference


def _of_torch_fidelity(path: Path, extractor: Extractor) -> Reference:
    """`torch.save` of {"mu": (2048,), "sigma": (2048, 2048)}, read without running anything."""
    from harness.metrics.extractors import sha256_of

    if not path.is_file():
        raise Missing(f"no file at {path}")
    if extractor.name != INCEPTION:
        raise BadInput(
            f"{path}: torch-fidelity's statistics are of {INCEPTION} features and cannot be "
            f"compared with those of {extractor.name}"
        )
    sha256, found = sha256_of(path), _loaded(path)
    if not isinstance(found, dict) or not {"mu", "sigma"} <= found.keys():
        raise BadInput(f"{path}: not torch-fidelity's statistics: it holds no mu and sigma")
    pool = given_moments(np.asarray(found["mu"]), np.asarray(found["sigma"]), f"{path}: mu, sigma")
    check_dimensions(extractor, pool, None, path)
    return Reference(
        extractor=INCEPTION,
        extractor_sha256=extractor.sha256,
        pool=pool,
        spatial=None,
        features=None,
        images=0,  # the file does not say how many its moments are of
        sha256=sha256,
        source=f"torch-fidelity's statistics {path.name}, without spatial ones",
    )


def _loaded(path: Path) -> Any:
    """What torch saved at `path`: containers, numbers and arrays, and no code."""
    import torch
    from numpy.dtypes import Float32DType, Float64DType

    rebuild = np.empty(0).__reduce__()[0]  # whose module NumPy 2 has renamed
    names = [f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")]
    arrays: list[Any] = [(rebuild, name) for name in names]
    try:
        with torch.serialization.safe_globals(
            [*arrays, np.ndarray, np.dtype, Float32DType, Float64DType]
        ):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise BadInput(
            f"{path}: no statistics of torch-fidelity ({type(error).__name__})"
        ) from error

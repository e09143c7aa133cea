"""Real images as feature extractors take them: a choice from a source, in batches, with three
channels."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from harness.components.source import Images
from harness.data.crop import centre_crop
from harness.data.gray import with_channels
from harness.data.images import ArrayImages, Corrupt
from harness.data.writer import check_corrupt
from harness.errors import HarnessError

READERS = 4  # threads that look for images that cannot be read


def chosen(count: int | None, available: int, seed: int) -> np.ndarray:
    """Sorted indices of `count` of the images that there are, drawn by the seed; None: of all."""
    if count is None or count >= available:
        return np.arange(available)
    return np.sort(np.random.default_rng(seed).permutation(available)[:count])


def readable(images: Images, indices: np.ndarray, max_corrupt: int) -> np.ndarray:
    """`indices`, less those of images that cannot be read, which are printed to the log.

    The images are read once more for it, and only where the study allows for such images, because a
    measurement must know beforehand how many images it has. Raises HarnessError for more than
    max_corrupt.
    """
    if max_corrupt == 0:  # the first that cannot be read is an error: see `_read`
        return indices

    def problem(index: int) -> dict[str, str] | None:
        try:
            images[index]
        except Corrupt as error:
            return {"path": error.path, "reason": error.reason}
        return None

    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(problem, indices.tolist()))
    corrupt = [entry for entry in found if entry is not None]
    check_corrupt(corrupt, max_corrupt)
    for entry in corrupt:
        print(f"left out: {entry['path']}: {entry['reason']}", flush=True)
    return indices[[entry is None for entry in found]]


def _read(images: Images, index: int) -> tuple[np.ndarray, int]:
    try:
        return images[index]
    except Corrupt as error:
        raise HarnessError(
            f"{error}; repair or remove it, or raise data.max_corrupt to leave such images out"
        ) from error


def batches(
    images: Images, indices: np.ndarray, size: int, batch: int, gray: bool = False
) -> Iterator[np.ndarray]:
    """uint8 (<= batch, size, size, 3) of the images at `indices`, one batch at a time.

    gray: colours are brought to gray first, as those are that a gray study is trained on.
    """
    for start in range(0, len(indices), batch):
        rows = [_of_size(images, int(i), size, gray)[0] for i in indices[start : start + batch]]
        yield rgb(np.stack(rows))


def _of_size(images: Images, index: int, size: int, gray: bool) -> tuple[np.ndarray, int]:
    pixels, label = _read(images, index)
    return centre_crop(with_channels(pixels, 1) if gray else pixels, size), label


def in_memory(
    images: Images, size: int, indices: np.ndarray | None = None, gray: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Images of a source (default: all) at one size: uint8 (N, size, size, C), labels (N,)."""
    if isinstance(images, ArrayImages) and indices is None and not gray:
        return images.images, images.labels
    which = range(len(images)) if indices is None else indices
    found = [_of_size(images, int(i), size, gray) for i in which]
    return np.stack([x for x, _ in found]), np.array([y for _, y in found])


def rgb(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 1 or 3) to three channels; gray is repeated."""
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images

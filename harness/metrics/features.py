"""The features of a set of images, and the single pass that extracts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.metrics.moments import Moments, MomentsAccumulator, checked

if TYPE_CHECKING:
    import torch

    from harness.components.extractor import Network as Extractor

__all__ = ["Features", "Moments", "MomentsAccumulator", "extract"]

PARTS = ("pool", "spatial", "probabilities")


@dataclass(frozen=True)
class Features:
    """Features of N images in file order. A part that was not asked for, or not kept, is None.

    pool (N, D) float32: FD, KID, precision and recall. spatial (N, D2) float32: sFD.
    probabilities (N, K) float32: Inception Score. pool_moments and spatial_moments: set when
    the matrix itself was streamed away (`extract(keep=...)`); otherwise computed when asked for.
    """

    pool: NDArray[np.float32] | None
    spatial: NDArray[np.float32] | None = None
    probabilities: NDArray[np.float32] | None = None
    pool_moments: Moments | None = None
    spatial_moments: Moments | None = None

    def __post_init__(self) -> None:
        for part in PARTS:
            value = getattr(self, part)
            if value is not None:
                rows = checked(value, f"{part} features").astype(np.float32, copy=False)
                object.__setattr__(self, part, rows)
        sizes = {part: len(value) for part in PARTS if (value := getattr(self, part)) is not None}
        sizes |= {
            part: moments.count
            for part in ("pool_moments", "spatial_moments")
            if (moments := getattr(self, part)) is not None
        }
        if not sizes or len(set(sizes.values())) > 1:
            raise BadInput(f"features must describe one set of images, got counts {sizes}")

    def __len__(self) -> int:
        for part in (*PARTS,):
            value = getattr(self, part)
            if value is not None:
                return len(value)
        moments = self.pool_moments or self.spatial_moments
        assert moments is not None  # __post_init__ saw to it
        return moments.count

    def moments(self, part: str) -> Moments | None:
        """Moments of "pool" or "spatial", streamed or computed; None where there are none."""
        streamed: Moments | None = getattr(self, f"{part}_moments")
        matrix = getattr(self, part)
        if streamed is not None or matrix is None:
            return streamed
        return Moments.of(matrix)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Features:
        """The features of some of the images; streamed moments cannot be divided, and go."""
        kept = {part: getattr(self, part) for part in PARTS}
        return Features(**{k: None if v is None else v[rows] for k, v in kept.items()})

    @staticmethod
    def concatenate(parts: Sequence[Features]) -> Features:
        """Features of the images of `parts`, one after the other (shards in order)."""
        if not parts:
            raise BadInput("no features to concatenate")
        joined: dict[str, NDArray[np.float32] | None] = {}
        for name in PARTS:
            values = [getattr(p, name) for p in parts]
            if any(v is None for v in values) and not all(v is None for v in values):
                raise BadInput(f"{name} features are present in some shards and not in others")
            joined[name] = None if values[0] is None else np.concatenate(values)
        return Features(**joined)  # type: ignore[arg-type]


def extract(
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    extractor: Extractor,
    *,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
    keep: Sequence[str] = PARTS,
) -> Features:
    """One pass of `extractor` over images: uint8 (N, H, W, 3), or an iterable of such batches.

    Gray images, (N, H, W, 1), are repeated to three channels.

    `keep` names the matrices to hold in memory. Of pool and spatial features not kept, mean and
    covariance are streamed, so that 50,000 images need no matrix for a Frechet distance.
    `progress` is called with the number of images done so far, after every batch.

    Raises BadInput: not uint8, not (N, H, W, 3), no images, NaN in features (names the row).
    """
    rows: dict[str, list[NDArray[np.float32]]] = {}
    streams: dict[str, MomentsAccumulator] = {}
    done = 0
    for batch in _batches(images, batch_size):
        for part, value in extractor(_as_tensor(batch)).items():
            what = f"{part} features of {extractor.name}"
            array = checked(value.float().cpu().numpy(), what, before=done)
            if part in keep:
                rows.setdefault(part, []).append(array)
            elif part in ("pool", "spatial"):
                streams.setdefault(part, MomentsAccumulator()).update(array)
        done += len(batch)
        if progress is not None:
            progress(done)
    if not done:
        raise BadInput("there are no images to extract features from")
    # A part's batches go as soon as they are joined: 50,000 images' features are a gigabyte.
    matrices = {part: np.concatenate(rows.pop(part)) for part in tuple(rows)}
    moments = {f"{part}_moments": stream.finish() for part, stream in streams.items()}
    return Features(**{"pool": None, **matrices, **moments})  # type: ignore[arg-type]


def check_images(images: Any, where: str = "images") -> NDArray[np.uint8]:
    """`images` when uint8 (N, H, W, 3 or 1); otherwise BadInput that says what they are instead."""
    array = np.asarray(images)
    check_layout(array.shape, array.dtype, where)
    return array


def check_layout(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    """Raises BadInput when an array of this shape and type cannot be images."""
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise BadInput(
            f"{where}: shape {shape} looks like NCHW; images must be NHWC, (N, H, W, 3): "
            "use images.transpose(0, 2, 3, 1)"
        )
    if len(shape) != 4 or shape[3] not in (1, 3) or 0 in shape[1:3]:
        opaque = "; drop the alpha channel: images[..., :3]" if shape[3:] == (4,) else ""
        raise BadInput(f"{where}: shape {shape}, but images must be (N, H, W, 3){opaque}")
    if dtype != np.uint8:
        raise BadInput(
            f"{where}: dtype {dtype}, but images must be uint8 in 0..255 "
            "(round and convert them before saving)"
        )


def _as_tensor(batch: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 (n, H, W, 1 or 3) -> uint8 (n, 3, H, W), contiguous."""
    import torch

    channels_first = np.broadcast_to(
        batch.transpose(0, 3, 1, 2), (len(batch), 3, *batch.shape[1:3])
    )
    return torch.from_numpy(np.array(channels_first, order="C"))


def _batches(
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]], batch_size: int
) -> Iterator[NDArray[np.uint8]]:
    if batch_size < 1:
        raise BadInput(f"batch_size must be at least 1, got {batch_size}")
    for chunk in [images] if isinstance(images, np.ndarray) else images:
        chunk = check_images(chunk)
        for start in range(0, len(chunk), batch_size):
            yield chunk[start : start + batch_size]

"""Encoding: every image of a source through an autoencoder, onto disk, once.

Sharded over processes that do not communicate: process r of R writes shards r, r + R, ...; run
again after any interruption it writes those that are missing. The last one calls finish.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from harness.components.autoencoder import Autoencoder
from harness.data.crop import centre_crop, is_image
from harness.data.gray import with_channels
from harness.data.images import Corrupt, Images  # type: ignore[attr-defined]
from harness.data.writer import LatentSettings, LatentWriter, check_corrupt
from harness.errors import BadInput, HarnessError, what_is


class Encoder(Protocol):
    """The part of a loaded autoencoder (harness.autoencoders.load) that encoding uses."""

    @property
    def name(self) -> str:
        """Name of the autoencoder."""

    @property
    def factor(self) -> int:
        """Image size / latent size."""

    @property
    def channels(self) -> int:
        """Channels of a latent."""

    @property
    def scale(self) -> float:
        """The factor that latents are multiplied by before the network sees them."""

    @property
    def pixels(self) -> bool:
        """The latents are the images, kept in uint8."""

    @property
    def sha256(self) -> str | None:
        """Checksum of the encoder's parameters; None: it has none."""

    @property
    def encode(self) -> Callable[[Tensor], Any]:
        """Images in [-1, 1] to latents, or to (mean, std) of a posterior."""


@dataclass(frozen=True)
class EncoderOf:
    """The encoder of an autoencoder's component, for images of one size."""

    name: str
    factor: int
    channels: int
    scale: float
    pixels: bool
    sha256: str | None
    encode: Callable[[Tensor], Any]


def encoder_of(component: Autoencoder, codec: Any, image_size: int, channels: int) -> EncoderOf:
    """The part of a component and its loaded codec that encoding needs (harness.components.Codec).

    image_size, channels: of the images. Raises BadInput when they cannot be encoded.
    """
    shape = component.latent_shape(image_size, channels)
    return EncoderOf(
        component.name,
        image_size // shape[1],
        shape[0],
        getattr(codec, "scale", 1.0),
        getattr(codec, "pixels", False),
        codec.sha256,
        codec.encode,
    )


def latent_settings(
    images: Images,
    autoencoder: Encoder,
    image_size: int,
    channels: int,
    dtype: str = "float16",
    shard_size: int = 4096,
    fingerprint: str | None = None,
) -> LatentSettings:
    """The settings of the latents that encoding `images` at image_size writes.

    channels: of an image, 1 or 3.
    fingerprint: that of the images, if known. Computing it reads the size of every file.
    dtype (of posteriors): float16 halves the disk and rounds a latent by 0.05%, far below the
    posterior's own spread; float32 is exact.
    """
    if image_size % autoencoder.factor:
        raise BadInput(
            f"image size {image_size} is not divisible by the {autoencoder.name} autoencoder's "
            f"factor {autoencoder.factor}"
        )
    side = image_size // autoencoder.factor
    return LatentSettings(
        kind="pixels" if autoencoder.pixels else "posterior",
        shape=(channels if autoencoder.pixels else autoencoder.channels, side, side),
        dtype="uint8" if autoencoder.pixels else dtype,
        items=len(images),
        shard_size=shard_size,
        num_classes=len(images.class_names),
        autoencoder=autoencoder.name,
        autoencoder_sha256=autoencoder.sha256,
        scale=autoencoder.scale,
        dataset=images.fingerprint if fingerprint is None else fingerprint,
    )


def encode(
    images: Images,
    autoencoder: Encoder,
    folder: str | Path,
    settings: LatentSettings,
    *,
    rank: int = 0,
    world: int = 1,
    batch_size: int = 32,
    max_corrupt: int = 0,
    threads: int = 0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> LatentWriter:
    """Write the shards of process `rank` of `world` that are missing; call finish on the result.

    threads: that many read and decode images ahead of the encoder (0: none, the caller's own).
    progress(done, in all) counts this process's images. Raises HarnessError as soon as this process
    knows of more than max_corrupt unreadable images, or if the disk is too small for what is
    missing.
    """
    writer = LatentWriter(folder, settings)
    todo = writer.missing(rank, world)
    writer.check_space(writer.missing())
    total, done = sum(len(writer.items(shard)) for shard in todo), 0
    met = writer.corrupt()

    def read(item: int) -> tuple[np.ndarray, int, list[str]] | Corrupt:
        try:
            pixels, label = images[item]
        except Corrupt as error:
            return error
        check_image(pixels, label, len(images.class_names), f"image {item:,}")
        size = settings.shape[1] * autoencoder.factor
        return _fit(pixels, settings, autoencoder.factor), int(label), changed(pixels, size)

    with ThreadPoolExecutor(threads) if threads else nullcontext() as pool:
        for shard in todo:
            rows = [np.empty((0, *settings.row_shape), dtype=settings.dtype)]
            labels: list[int] = []
            corrupt: list[dict[str, str]] = []
            stored: Counter[str] = Counter()
            # Batches are cut by position in the shard, so that content depends on the shard alone.
            for found in _batches(read, writer.items(shard), batch_size, pool):
                good = [entry for entry in found if not isinstance(entry, Corrupt)]
                corrupt += [
                    {"path": entry.path, "reason": entry.reason}
                    for entry in found
                    if isinstance(entry, Corrupt)
                ]
                check_corrupt(met + corrupt, max_corrupt)
                if good:
                    pixels = np.stack([pixels for pixels, _, _ in good])
                    rows.append(_latents(pixels, autoencoder, settings, device))
                    labels += [label for _, label, _ in good]
                    stored.update(what for _, _, kinds in good for what in kinds)
                done += len(found)
                if progress is not None:
                    progress(done, total)
            writer.write(
                shard, np.concatenate(rows), np.array(labels, dtype=np.int64), corrupt, stored
            )
            met += corrupt
    return writer


def _batches(
    read: Callable[[int], Any], items: range, size: int, pool: ThreadPoolExecutor | None
) -> Iterator[list[Any]]:
    """read(item) for all items, in lists of `size`; with a pool, one list is read ahead."""
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    if pool is None:
        yield from ([read(item) for item in chunk] for chunk in chunks)
        return
    ahead = [pool.submit(read, item) for item in chunks[0]]
    for chunk in [*chunks[1:], range(0)]:
        current, ahead = ahead, [pool.submit(read, item) for item in chunk]
        yield [future.result() for future in current]


def changed(pixels: np.ndarray, size: int) -> list[str]:
    """The ways in which an image is not an RGB one of at least `size` pixels, and is changed.

    gray, alpha (transparency is dropped), palette, cmyk, 16-bit; turned: an EXIF orientation is
    not applied; frames: of several pictures the first is read; enlarged: its shorter side has fewer
    pixels than the study's images.
    """
    kind = "gray" if pixels.shape[2] == 1 else getattr(pixels, "stored", None)
    found = [] if kind is None else [kind]
    found += [mark for mark in ("turned", "frames") if getattr(pixels, mark, False)]
    return [*found, "enlarged"] if min(pixels.shape[:2]) < size else found


def check_image(pixels: Any, label: Any, classes: int, what: str) -> None:
    """Raise BadInput unless these are an image uint8 (H, W, 1 or 3) and a label of one of `classes`
    (0 where there are none). what: for the message."""
    if not is_image(pixels):
        dtype = getattr(pixels, "dtype", None)
        found = what_is(pixels) if dtype is None else f"{dtype} of shape {pixels.shape}"
        raise BadInput(f"{what} is {found}, not uint8 (H, W, 1 or 3)")
    most = max(classes, 1) - 1
    try:
        good = 0 <= operator.index(label) <= most
    except TypeError:
        good = False
    if not good:
        raise BadInput(
            f"{what} has the label {label!r}; labels are whole numbers from 0 to {most:,}, one for "
            "each of the class names"
            if classes
            else f"{what} has the label {label!r}; images without classes have the label 0"
        )


def _fit(pixels: np.ndarray, settings: LatentSettings, factor: int) -> np.ndarray:
    """Crop to the image size, and check the channels: uint8 (C, H, W)."""
    channels = settings.shape[0] if settings.kind == "pixels" else 3
    pixels = with_channels(pixels, channels)
    return centre_crop(pixels, settings.shape[1] * factor).transpose(2, 0, 1)


@torch.no_grad()
def _latents(
    pixels: np.ndarray, autoencoder: Encoder, settings: LatentSettings, device: Any
) -> np.ndarray:
    """(N, C, H, W) uint8 -> (N, *row_shape): as they are, or the posteriors of both flips."""
    if settings.kind == "pixels":
        return pixels
    x = torch.from_numpy(pixels).to(device).float().div_(127.5).sub_(1.0)
    wanted = (len(x), *settings.shape)
    found = [_posterior(autoencoder.encode(each), wanted) for each in (x, x.flip(-1))]
    both = torch.stack([torch.stack(each, 1) for each in found], dim=1)
    kept = both.float().cpu().numpy()
    with np.errstate(over="ignore"):  # looked at
        stored = kept.astype(settings.dtype)
    bad = ~np.isfinite(stored).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise HarnessError(
            f"the latents of {bad.sum()} of {len(x)} images are not finite in {settings.dtype} "
            f"({both.dtype} before): nothing is kept of them; is the {autoencoder.name} encoder's "
            "precision too low, or are its weights damaged?"
        )
    return stored


def _posterior(found: Any, wanted: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and deviation; of latents that are no posterior, none. Raises BadInput for a shape other
    than `wanted`."""
    parts = found if isinstance(found, tuple) else (found,)
    shapes = [tuple(getattr(part, "shape", ())) for part in parts]
    if len(parts) > 2 or any(shape != wanted for shape in shapes):
        raise BadInput(
            f"the autoencoder's encode gave {' and '.join(map(str, shapes))}, not latents of shape "
            f"{wanted}"
        )
    return parts[0], parts[1] if len(parts) == 2 else torch.zeros_like(parts[0])

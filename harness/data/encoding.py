"""Encoding: every image of a source through an autoencoder, onto disk, once.

Sharded over processes without talk between them: process r of R writes shards r, r + R, ...; run
again after any interruption it writes those that are missing. Whoever comes last calls finish.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from harness.autoencoders.properties import channels as latent_channels
from harness.data.crop import centre_crop
from harness.data.images import Corrupt, Images
from harness.data.writer import LatentSettings, LatentWriter, check_corrupt
from harness.errors import BadInput


class Encoder(Protocol):
    """The part of an autoencoder (harness.autoencoders.load) that encoding uses."""

    name: str
    factor: int
    scale: float
    sha256: str | None

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]: ...


def latent_settings(
    images: Images,
    autoencoder: Encoder,
    image_size: int,
    channels: int,
    dtype: str = "float16",
    shard_size: int = 4096,
) -> LatentSettings:
    """What encoding `images` (channels of an image: 1 or 3) at image_size will write.

    dtype (of posteriors): float16 halves the disk and rounds a latent by 0.05%, far below the
    posterior's own spread; float32 is exact.
    """
    identity = autoencoder.name == "identity"
    if image_size % autoencoder.factor:
        raise BadInput(
            f"image size {image_size} is not divisible by the {autoencoder.name} autoencoder's "
            f"factor {autoencoder.factor}"
        )
    side = image_size // autoencoder.factor
    return LatentSettings(
        kind="pixels" if identity else "posterior",
        shape=(latent_channels(autoencoder.name, channels), side, side),
        dtype="uint8" if identity else dtype,
        items=len(images),
        shard_size=shard_size,
        num_classes=len(images.class_names),
        autoencoder=autoencoder.name,
        autoencoder_sha256=autoencoder.sha256,
        scale=autoencoder.scale,
        dataset=images.fingerprint,
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
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> LatentWriter:
    """Write the shards of process `rank` of `world` that are missing; call finish on the result.

    progress(done, in all) counts this process's images. Raises HarnessError as soon as this process
    alone has met more than max_corrupt unreadable images.
    """
    writer = LatentWriter(folder, settings)
    todo = writer.missing(rank, world)
    total, done = sum(len(writer.items(shard)) for shard in todo), 0
    met: list[dict[str, str]] = []
    for shard in todo:
        rows: list[np.ndarray] = []
        labels: list[int] = []
        corrupt: list[dict[str, str]] = []
        waiting: list[np.ndarray] = []
        items = writer.items(shard)
        for item in items:
            try:
                pixels, label = images[item]
                waiting.append(_fit(pixels, settings, autoencoder.factor))
                labels.append(label)
            except Corrupt as error:
                corrupt.append({"path": error.path, "reason": error.reason})
                check_corrupt(met + corrupt, max_corrupt)
            # A batch ends where the shard does, so that its content depends on the shard alone.
            if len(waiting) == batch_size or (item == items[-1] and waiting):
                rows.append(_latents(np.stack(waiting), autoencoder, settings, device))
                waiting = []
                if progress is not None:
                    progress(done + len(labels) + len(corrupt), total)
        empty = np.empty((0, *settings.row_shape), dtype=settings.dtype)
        latents = np.concatenate(rows) if rows else empty
        writer.write(shard, latents, np.array(labels, dtype=np.int64), corrupt)
        met += corrupt
        done += len(items)
    return writer


def _fit(pixels: np.ndarray, settings: LatentSettings, factor: int) -> np.ndarray:
    """Crop to the image size, and check the channels: uint8 (C, H, W)."""
    channels = settings.shape[0] if settings.kind == "pixels" else 3
    if pixels.shape[2] == 3 and channels == 1:
        # Rec. 601 luma, as Pillow's "L"
        luma = pixels.astype(np.int64) @ np.array([19595, 38470, 7471]) + 0x8000 >> 16
        pixels = luma.astype(np.uint8)[..., None]
    elif pixels.shape[2] == 1 and channels == 3:
        pixels = np.repeat(pixels, 3, axis=2)
    return centre_crop(pixels, settings.shape[1] * factor).transpose(2, 0, 1)


@torch.no_grad()
def _latents(
    pixels: np.ndarray, autoencoder: Encoder, settings: LatentSettings, device: Any
) -> np.ndarray:
    """(N, C, H, W) uint8 -> (N, *row_shape): as they are, or the posteriors of both flips."""
    if settings.kind == "pixels":
        return pixels
    x = torch.from_numpy(pixels).to(device).float().div_(127.5).sub_(1.0)
    both = [torch.stack(autoencoder.encode(image), dim=1) for image in (x, x.flip(-1))]
    return torch.stack(both, dim=1).float().cpu().numpy().astype(settings.dtype)

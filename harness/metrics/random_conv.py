"""Features of a fixed random network: for images without labels, with nothing to train or download.

Random convolutions with a rectifier keep much of an image's texture and layout, and a distance on
them grows as images get worse (docs/explanation/features.md has the measurement). They know nothing
of what is shown. The weights are the same everywhere: of a frozen generator, with a checksum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from harness.errors import BadInput
from harness.metrics.precision import full_float32

CHANNELS = (16, 16, 8)  # of the three layers; the first two give their means, the last a 2x2 grid
DIMENSIONS = CHANNELS[0] + CHANNELS[1] + 4 * CHANNELS[2]
SIDE = 64  # larger images are averaged down to this
SPATIAL_SIDE = 16
SPATIAL_CHANNELS = 7  # as sFID's
EXTRACT_BATCH = 500
SEED = 0


@dataclass(frozen=True)
class RandomConv:
    """Three random 3x3 convolutions, each rectified, with halvings between them."""

    name: str
    sha256: str
    resize: str
    device: str
    weights: tuple[torch.Tensor, ...]

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """uint8 (N, 3, H, W) -> {"pool": (N, 64), "spatial": (N, S)} on the CPU."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise BadInput(
                f"extractor {self.name} takes uint8 (N, 3, H, W), "
                f"got {images.dtype} {tuple(images.shape)}"
            )
        with full_float32():
            parts = [self._features(part.to(self.device)) for part in images.split(EXTRACT_BATCH)]  # type: ignore[no-untyped-call]
        return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}

    def _features(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        x = images.float() / 127.5 - 1
        if max(x.shape[2:]) > SIDE:
            x = F.interpolate(x, size=(SIDE, SIDE), mode="area")
        first = self._layer(x, 0)
        second = self._layer(_halved(first), 1)
        third = self._layer(_halved(second), 2)
        grid = F.adaptive_avg_pool2d(third, 2).flatten(1)
        spatial = first[:, :SPATIAL_CHANNELS]
        if max(spatial.shape[2:]) > SPATIAL_SIDE:
            spatial = F.adaptive_avg_pool2d(spatial, SPATIAL_SIDE)
        return {
            "pool": torch.cat([first.mean((2, 3)), second.mean((2, 3)), grid], dim=1),
            "spatial": spatial.permute(0, 2, 3, 1).flatten(1),
        }

    def _layer(self, x: torch.Tensor, index: int) -> torch.Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.relu(F.conv2d(padded, self.weights[index]))


def load(name: str, device: str = "cpu") -> RandomConv:
    """The network; its weights are drawn here, the same on every machine."""
    import numpy as np

    random = np.random.RandomState(SEED)  # whose stream NumPy keeps for ever
    digest, weights, before = hashlib.sha256(), [], 3
    for channels in CHANNELS:
        drawn = random.standard_normal((channels, before, 3, 3)) * np.sqrt(2 / (9 * before))
        array = drawn.astype("<f4")
        digest.update(array.tobytes())
        weights.append(torch.from_numpy(array).to(device))
        before = channels
    resize = f"area average to {SIDE}x{SIDE} where larger"
    return RandomConv(name, digest.hexdigest(), resize, device, tuple(weights))


def _halved(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True) if max(x.shape[2:]) > 1 else x

"""The small network behind every classifier that is trained on the spot.

Three 3x3 convolutions with group norm, a 2x2 grid, 64 linear features, and classes. What differs
with the size of the images is by how much the map is averaged down before each convolution, so that
the last one sees about 8 x 8 whatever the size, and a forward pass costs about the same.

Group norm, because batch norm's running statistics turned every generated image into an outlier
(Frechet distances near 1,200 for all models).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

DIMENSIONS = 64  # of the pool features
SIDE = 64  # larger images are averaged down to this
Pooling = tuple[int, int, int]
PLAIN: Pooling = (1, 1, 2)  # the glyphs' network, and that of all images up to 16 pixels


def pooling_for(image_size: int) -> Pooling:
    """Factors by which the map is averaged down before each convolution, for this image size."""
    side = min(image_size, SIDE)
    return PLAIN if side <= 16 else (1, 2, 2) if side <= 32 else (2, 2, 2)


class Network(nn.Module):
    """uint8-like images in [-1, 1] -> features, a mid-level map, and logits of the classes."""

    def __init__(self, num_classes: int = 10, pooling: Pooling = PLAIN) -> None:
        super().__init__()
        self.pooling = pooling
        self.conv1 = nn.Conv2d(3, 24, 3, padding=1)
        self.norm1 = nn.GroupNorm(4, 24)
        self.conv2 = nn.Conv2d(24, 48, 3, padding=1)
        self.norm2 = nn.GroupNorm(4, 48)
        self.conv3 = nn.Conv2d(48, 64, 3, padding=1)
        self.norm3 = nn.GroupNorm(4, 64)
        self.features = nn.Linear(64 * 4, DIMENSIONS)
        self.classify = nn.Linear(DIMENSIONS, num_classes)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """x float (N, 3, H, W) in [-1, 1] -> features (N, 64), map (N, 48, h, w), logits (N, K)."""
        if x.shape[-1] > SIDE:
            x = F.interpolate(x, size=(SIDE, SIDE), mode="area")
        before1, before2, before3 = self.pooling
        x = F.silu(self.norm1(self.conv1(_averaged(x, before1))))
        middle = F.silu(self.norm2(self.conv2(_averaged(x, before2))))
        x = F.silu(self.norm3(self.conv3(_averaged(middle, before3))))
        pool = self.features(F.adaptive_avg_pool2d(x, 2).flatten(1))
        return pool, middle, self.classify(F.silu(pool))


def to_float(images: torch.Tensor) -> torch.Tensor:
    """uint8 levels to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def _averaged(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Means over squares of `factor` pixels; what does not fill a last square counts too."""
    return x if factor == 1 else F.avg_pool2d(x, factor, ceil_mode=x.shape[-1] % factor > 0)

"""A feature extractor: fixed random filters, for any images and without weights to download.

reference: {extractor: random-filters}
"""

import hashlib
from typing import Annotated, ClassVar

from pydantic import Field

from harness.components import Extractor


class RandomFilters(Extractor):
    """The mean response of random 3x3 filters. What it measures is named for it, and is no FID."""

    name: ClassVar[str] = "random-filters"
    gives: ClassVar[tuple[str, ...]] = ("pool",)

    filters: Annotated[int, Field(ge=1, le=512)] = 16
    "Features of an image."

    def load(self, weights=None, device="cpu"):
        return Filters(self.name, self.filters, device)


class Filters:
    """The loaded filters."""

    resize = "none"

    def __init__(self, name, count, device):
        import torch

        generator = torch.Generator().manual_seed(0)
        self.name, self.device = name, device
        self.weight = torch.randn(count, 3, 3, 3, generator=generator).to(device)
        self.sha256 = hashlib.sha256(self.weight.cpu().numpy().tobytes()).hexdigest()

    def __call__(self, images):
        import torch

        x = images.to(self.device).float() / 127.5 - 1
        return {"pool": torch.conv2d(x, self.weight, padding=1).relu().mean(dim=(2, 3))}

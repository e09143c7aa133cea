"""A data source: rings, drawn on the spot; the class is the radius.

data: {name: rings, source: rings, image_size: 8, channels: 1, num_classes: 3, train_images: 200}
"""

from typing import ClassVar

from harness.components import Source
from harness.errors import BadInput


class Rings(Source):
    """White rings of three radii at random places."""

    name: ClassVar[str] = "rings"
    made: ClassVar[bool] = True

    def check(self, data):
        if data.train_images is None:
            raise BadInput("data.train_images must be given: how many rings?")

    def open(self, wanted):
        import zlib

        import numpy as np

        from harness.data.images import ArrayImages

        # Splits are disjoint: each has a generator of its own.
        random = np.random.default_rng([wanted.seed, zlib.crc32(wanted.split.encode())])
        count, size = wanted.count or 1, wanted.image_size
        labels = random.integers(0, 3, count)
        centre = random.uniform(0.4 * size, 0.6 * size, (count, 2, 1, 1))
        row, column = np.mgrid[0:size, 0:size]
        away = np.hypot(row - centre[:, 0], column - centre[:, 1])
        radius = size * (0.15 + 0.12 * labels)[:, None, None]
        light = np.clip(255 * (1.2 - np.abs(away - radius)), 0, 255).astype(np.uint8)
        images = np.repeat(light[..., None], wanted.channels, axis=-1)
        return ArrayImages(images, labels, ["small", "middle", "large"])

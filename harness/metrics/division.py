"""Which images of a data set train the extractor, and which are the reference and the floor.

An extractor trained on the spot knows the images that it was trained on too well: their features
are surer than those of any other image, real or generated. So a data set that lies on disk is
divided, by the seed: extractor, floor and reference share no image. Sets that are made (glyphs)
have a split for each, and published extractors were trained elsewhere; neither is divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_REFERENCE = 2  # times the features' dimensions: fewer images make no covariance to speak of


@dataclass(frozen=True)
class Division:
    """How many images of a data set are for what; together at most all of them."""

    extractor: int
    reference: int
    floor: int

    def indices(self, count: int, seed: int) -> dict[str, NDArray[np.intp]]:
        """Positions in the data set, ascending, by "extractor", "floor" and "reference"."""
        import numpy as np

        order = np.random.default_rng([seed, 1]).permutation(count)
        first, second = self.extractor, self.extractor + self.floor
        parts = {
            "extractor": order[:first],
            "floor": order[first:second],
            "reference": order[second : second + self.reference],
        }
        return {name: np.sort(part) for name, part in parts.items()}


def divide(
    count: int,
    *,
    extractor_images: int,
    least: int,
    images: int | None,
    dimensions: int | None,
    floor_images: int = 0,
) -> Division:
    """Divide `count` images. The extractor has at most `extractor_images`, and at most half.

    least: images without which the extractor cannot be trained. images: of the reference; None:
    all that are left. floor_images: 0 where the floor has images of its own (a folder `val`).
    Raises BadInput, with the number that would do, where there are too few.
    """
    wanted = LEAST_REFERENCE * (dimensions or 1) if images is None else images
    needed = floor_images + (wanted + least if images is not None else 2 * max(wanted, least))
    if count < needed:
        floor = f", {floor_images} for the floor" if floor_images else ""
        raise BadInput(
            f"{count:,} images are too few for an extractor that is trained on some of them and "
            f"measures others: it needs at least {least}, the reference {wanted}{floor}, and no "
            f"image may be in two; {needed:,} images would do"
        )
    left = count - floor_images
    if images is None:
        extractor = min(extractor_images, left // 2)
        return Division(extractor, left - extractor, floor_images)
    return Division(min(extractor_images, left - images), images, floor_images)

"""Which images of a data set train the extractor, and which are the reference and the floor.

An extractor trained on the spot knows the images that it was trained on too well: their features
are surer than those of any other image, real or generated. So a data set that lies on disk is
divided, by the seed: extractor, floor and reference share no image. Sets that are made (glyphs)
have a split for each, and published extractors were trained elsewhere; neither is divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    all that are left; 0: it has images of its own. floor_images: 0 where the floor has images of
    its own (a folder `val`, images held out).
    Raises BadInput, with the number that would do, where there are too few.
    """
    wanted = LEAST_REFERENCE * (dimensions or 1) if images is None else images
    needed = floor_images + (wanted + least if images is not None else 2 * max(wanted, least))
    if count < needed:
        others = (("the reference", wanted), ("the floor", floor_images))
        told = "".join(f", {part} {number:,}" for part, number in others if number)
        raise BadInput(
            f"{count:,} images are too few for an extractor that is trained on some of them and "
            f"measures others: it needs at least {least:,}{told}, and no image may be in two; "
            f"{needed:,} images would do"
        )
    left = count - floor_images
    if images is None:
        extractor = min(extractor_images, left // 2)
        return Division(extractor, left - extractor, floor_images)
    return Division(min(extractor_images, left - images), images, floor_images)


def divided_by_plan(reference: Any, extractor: Any, data: Any) -> None:
    """Raise BadInput for too few images, as far as a study says how many there are.

    reference, data: the study's sections; a floor is taken to be of the same images unless some
    are held out.
    """
    from harness.data.held_out import count_of

    if not extractor.trained:
        return
    least = extractor.least_images(data.num_classes)
    if reference.extractor_images < least:
        raise BadInput(
            f"reference.extractor_images is {reference.extractor_images}: {extractor.name} needs "
            f"at least {least} for {data.num_classes} classes"
        )
    if data.source.made or data.train_images is None:  # splits of their own; known when it runs
        return
    count = data.train_images
    if isinstance(data.held_out, float):
        count -= count_of(count, data.held_out)
    floor_apart = data.held_out is not None and not reference.held_out
    divide(
        count,
        extractor_images=reference.extractor_images,
        least=least,
        images=0 if reference.held_out else reference.images,
        dimensions=extractor.dimensions,
        floor_images=0 if floor_apart else reference.floor_images,
    )

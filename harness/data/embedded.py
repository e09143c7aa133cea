"""The embedded data sets, as a component: they are drawn, and read from nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.source import Images, Source, Wanted
from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

# Embedded set -> the module that renders it.
EMBEDDED = {"glyphs": "harness.data.glyphs", "digits": "harness.data.digits"}


class Embedded(Source):
    """The embedded sets: glyphs (digits of matplotlib's fonts) and digits (scikit-learn's)."""

    name = "embedded"
    made: ClassVar[bool] = True
    classes_made: ClassVar[int | None] = 10  # harness.data.glyphs.NUM_CLASSES, which numpy is for
    example_name: ClassVar[str | None] = "glyphs"

    def check(self, data: Any) -> None:
        """Raise BadInput for settings that this set cannot be made with."""
        check_name(data, embedded=True)
        if data.train_images is None:
            raise BadInput("data.train_images must be given for an embedded set")

    def open(self, wanted: Wanted) -> Images:
        import importlib

        from harness.data import glyphs
        from harness.data.images import ArrayImages

        if wanted.name not in EMBEDDED:
            raise BadInput(f"no embedded data set {wanted.name!r}; there are {', '.join(EMBEDDED)}")
        if wanted.count is None:
            raise BadInput(f"how many images of {wanted.name!r}? Give data.train_images")
        render: Callable[..., tuple[np.ndarray, np.ndarray]]
        render = importlib.import_module(EMBEDDED[wanted.name]).render
        images, labels = render(
            wanted.split,
            wanted.count,
            image_size=wanted.image_size,
            channels=wanted.channels,
            seed=wanted.seed,
        )
        return ArrayImages(images, labels, [str(digit) for digit in range(glyphs.NUM_CLASSES)])


def check_name(data: Any, embedded: bool) -> None:
    """Raises BadInput where the data's name and source do not go together."""
    if (data.name in EMBEDDED) != embedded:
        raise BadInput(
            f"data.name {data.name!r} does not go with source "
            f"{data.source if isinstance(data.source, str) else data.source.name!r}: "
            f"the embedded sets are {', '.join(EMBEDDED)}; others are read from files"
        )

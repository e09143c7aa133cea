"""Images to be measured that are first brought to another size, on request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

METHOD = "ADM's centre crop"
LARGEST = 4096  # pixels a side: beyond it, a typing mistake would fill the memory


@dataclass(frozen=True)
class Images:
    """Images on disk. `batches(n)` yields uint8 (<= n, H, W, 3 or 1) in order.

    sha256: of files; where they were brought to another size, of that as well.
    """

    path: Path
    count: int
    size: tuple[int, int]  # height, width
    batches: Callable[[int], Iterator[NDArray[np.uint8]]]
    sha256: Callable[[], str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Square:
    """`size` x `size` pixels by ADM's centre crop, as a study brings its own images to its size."""

    size: int

    def __post_init__(self) -> None:
        if not 1 <= self.size <= LARGEST:
            raise BadInput(f"--resize must be between 1 and {LARGEST:,}, got {self.size}")

    def check(self, what: str, height: int, width: int) -> None:
        """Raises BadInput for an image that is too narrow to crop, before any is read."""
        from harness.data.crop import too_narrow

        if reason := too_narrow(width, height):
            raise BadInput(f"{what} {reason}")

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 (H, W, C) -> uint8 (size, size, C)."""
        from harness.data.crop import centre_crop

        return centre_crop(image, self.size)

    def brought(self, images: Images, sizes: Iterable[tuple[int, int]]) -> Images:
        """`images`, whose batches are of this size already, with what was done to them noted.

        sizes: (height, width) as they lie on disk. Images that have the size already are as they
        were: no note, and the checksum of their files.
        """
        before = sorted(set(sizes))
        square = (self.size, self.size)
        if before in ([], [square]):
            return images
        least, most = before[0], before[-1]
        were = f"{least[0]}x{least[1]}"
        if len(before) > 1:
            were = f"{len(before):,} sizes, {were} to {most[0]}x{most[1]}"
        note = f"{images.path}: brought from {were} to {self.size}x{self.size} by {METHOD}"
        if any(min(each) < self.size for each in before):
            note += "; small ones were enlarged, which adds no detail"
        return replace(
            images,
            size=square,
            sha256=cache(lambda: self._digest(images.sha256())),
            notes=(*images.notes, note),
        )

    def each(
        self, batches: Callable[[int], Iterator[NDArray[np.uint8]]]
    ) -> Callable[[int], Iterator[NDArray[np.uint8]]]:
        """The same batches of images that had one size, in this one."""
        import numpy as np

        def brought(size: int) -> Iterator[NDArray[Any]]:
            for batch in batches(size):
                yield np.stack([self.of(image) for image in batch])

        return brought

    def _digest(self, files: str) -> str:
        return hashlib.sha256(f"{files} {METHOD} {self.size}".encode()).hexdigest()

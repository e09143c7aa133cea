"""Images that the data sources' own examples hold, for harness.testing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def drawn(seed: int) -> list[np.ndarray]:
    """Twelve images for examples, of two sizes, and others for another seed.

    Fingerprints of files are of their names and sizes.
    """
    import numpy

    draws = numpy.random.default_rng(seed)
    return [draws.integers(0, 256, (9 + seed, 8 + k % 2, 3), dtype=numpy.uint8) for k in range(12)]

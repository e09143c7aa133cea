"""The common part of metrics that compare single images' features with the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.components.metric import Absent, Metric
from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


class OfSingleImages(Metric):
    """Needs two samples at least, and pool features of single images on both sides."""

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: Shared
    ) -> None:
        super().check(samples, gives, dimensions, shared)
        if samples < 2:
            raise BadInput(f"metric {self.name} needs at least 2 samples")

    @staticmethod
    def pools(
        generated: Features, reference: Reference
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features of the samples and of the reference, (N, D) and (M, D). Raises Absent."""
        if generated.pool is None or reference.features is None:
            raise Absent("it needs the features of single images on both sides")
        if generated.pool.shape[1] != reference.features.shape[1]:
            raise Absent("samples and reference have features of other dimensions")
        return generated.pool, reference.features

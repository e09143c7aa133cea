"""The kernel distance as a metric (KID on Inception's features)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.components.base import Later
from harness.components.metric import Absent, Metric, Value
from harness.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


class KID(Metric):
    """Squared maximum mean discrepancy with a cubic kernel, unbiased (Binkowski et al. 2018)."""

    name = "kid"
    title = "kernel distance"
    short_title = "KD"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    inception_title: ClassVar[str | None] = "KID"

    subsets: Annotated[int, Field(ge=1), Later()] = 100
    "Random subsets over which it is averaged."

    subset_size: Annotated[int, Field(ge=2), Later()] = 1000
    "Images of each side in a subset."

    def check(
        self, samples: int, gives: tuple[str, ...], dimensions: int | None, shared: Shared
    ) -> None:
        super().check(samples, gives, dimensions, shared)
        if samples < self.subset_size:
            raise BadInput(
                f"metric kid draws subsets of {self.subset_size:,} images of {samples:,} samples: "
                f"give more samples, or {{name: kid, subset_size: {samples}}}"
            )

    def check_reference(self, images: int, shared: Shared) -> None:
        if images < self.subset_size:
            raise BadInput(
                f"metric kid draws subsets of {self.subset_size:,} images, and the reference keeps "
                f"the features of at most {images:,} (reference.images, reference.recall_images): "
                f"give more images, or {{name: kid, subset_size: {images}}}"
            )

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        from harness.metrics.kernel import kid
        from harness.metrics.uncertainty import HALVES, WHOLE, halves_of

        if generated.pool is None or reference.features is None:
            raise Absent("it needs the features of single images on both sides")
        pool, images, whole = generated.pool, reference.features, len(generated.pool)

        def estimate(rows: NDArray[np.floating]) -> float:
            """Unbiased whatever the subsets' size, which a half may have to make smaller."""
            size = self.subset_size if len(rows) == whole else min(self.subset_size, len(rows))
            return kid(rows, images, self.subsets, size, shared.seed)

        try:
            value = estimate(pool)
        except BadInput as error:
            raise Absent(str(error)) from error
        std, df = halves_of(pool, estimate, seed=shared.seed)
        details = {
            "subsets": self.subsets,
            "subset_size": self.subset_size,
            "recall_images": len(images),
            "seed": shared.seed,
        }
        return Value(value, std, df, None if std is None else WHOLE.format(HALVES // 2), details)

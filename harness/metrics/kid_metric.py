"""The kernel distance as a metric (KID on Inception's features)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.components.base import Later
from harness.components.metric import Absent, Metric, Value
from harness.errors import BadInput

if TYPE_CHECKING:
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

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        from harness.metrics.kernel import kid_subsets

        if generated.pool is None or reference.features is None:
            raise Absent("it needs the features of single images on both sides")
        try:
            value, std = kid_subsets(
                generated.pool,
                reference.features,
                subsets=self.subsets,
                subset_size=self.subset_size,
                seed=shared.seed,
            )
        except BadInput as error:
            raise Absent(str(error)) from error
        details = {
            "subsets": self.subsets,
            "subset_size": self.subset_size,
            "recall_images": len(reference.features),
            "seed": shared.seed,
        }
        method = f"standard deviation over {self.subsets} random subsets"
        return Value(value, std, self.subsets - 1, method, details)

"""Vendi score: how many images' worth of variety there is (Friedman and Dieng 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.components.metric import Absent, Value
from harness.metrics.single_images import OfSingleImages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared


class Vendi(OfSingleImages):
    """Effective number of different samples, over that of as many reference images.

    The score (arXiv 2210.02410, equation 1, cosine kernel) is the exponential of the entropy of the
    eigenvalues of the samples' similarities over their number. It has no reference and grows with
    the number of samples, so it is told as a share of what real images have: 1 is as varied as
    they, below 1 less, and corrupted images, which are varied too, may have more.
    """

    name = "vendi"
    title = "variety against real images (Vendi)"
    short_title = "Vendi"
    better: ClassVar[Literal["lower", "higher"]] = "higher"
    unit: ClassVar[str] = "of the reference's"

    most: Annotated[int, Field(ge=2)] = 2000
    "Images of each side that are looked at: the first samples, and reference images."

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        from harness.metrics.uncertainty import HALVES, WHOLE, halves_of

        pool, features = self.pools(generated, reference)
        count = min(len(pool), len(features), self.most)
        if count < 2:
            raise Absent("it needs at least 2 images on both sides")
        # Centred on the reference: a rectifier's features lie in one corner, all alike.
        centre = features.mean(axis=0)
        rows, real = pool[:count] - centre, features[:count] - centre

        def share(some: NDArray[np.float32]) -> float:
            return effective_number(some) / effective_number(real[: len(some)])

        details = {"images": count, "recall_images": len(features), "seed": shared.seed}
        value = share(rows)
        std, df = halves_of(rows, share, seed=shared.seed)
        method = None if std is None else WHOLE.format(HALVES // 2)
        return Value(value, std, df, method, details)


def effective_number(rows: NDArray[np.floating]) -> float:
    """Vendi score of feature rows (N, D) with the cosine kernel: in 1 to min(N, D).

    The N x N kernel and the D x D one have the same eigenvalues but for zeros; the smaller is used.
    Rows of length 0 are alike to none: they count as nothing.
    """
    import numpy as np

    x = rows.astype(np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    x /= np.where(lengths > 0, lengths, 1.0)
    kernel = (x.T @ x if x.shape[1] <= len(x) else x @ x.T) / len(x)
    values = np.linalg.eigvalsh(kernel)
    kept = values[values > 1e-12]
    return float(np.exp(-(kept * np.log(kept)).sum())) if len(kept) else 1.0

"""Near copies: samples that lie nearer to a training image than real images lie to each other.

A model of a small data set may draw its training images again, and every distance rewards it. What
"near" is, is calibrated on the data: the distance within which the stated share of these images
have another one (leave-one-out). Independent real images have that share of near copies, so a value
well above it says that images were learned by heart; what held-out images score is the floor
beside it.

A study looks at its training images (harness.stages.copied), and with `mirrored` at their mirror
images too, which `data.flip` trains on. Without a study they are not known, and `evaluate` looks at
the reference images whose single features are kept (up to 10,000), with `mirrored` at their mirror
images too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.components.base import Later
from harness.components.metric import Absent, Value
from harness.errors import BadInput
from harness.metrics.single_images import OfSingleImages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.metrics.features import Features
    from harness.metrics.reference import Reference
    from harness.metrics.shared import Shared

LEAST = 50  # images to be near to, for a quantile of their distances
SHOWN = 20  # nearest pairs in the record
BLOCK = 512


class NearCopies(OfSingleImages):
    """Share of samples nearer to a training image than these are to each other."""

    name = "near_copies"
    title = "near copies of real images"
    short_title = "Copies"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    copying: ClassVar[bool] = True
    version: ClassVar[int] = (
        2  # 1 looked at the reference's images, which training may not have had
    )

    expected: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    "Share of near copies among independent real images, which fixes how near is near."

    mirrored: Annotated[bool, Later] = False
    "Look at the mirror images of these images too, as `data.flip` trains on them."

    @property
    def looks_mirrored(self) -> bool:
        return self.mirrored

    def check_reference(self, images: int, shared: Shared) -> None:
        if images < LEAST:
            raise BadInput(
                f"metric {self.name} needs at least {LEAST} training images to know how near is "
                f"near, and there are {images} (data.train_images, less what is held out)"
            )

    def measure(self, generated: Features, reference: Reference, shared: Shared) -> Value:
        import numpy as np

        from harness.metrics.uncertainty import of_mean

        if shared.training is None:
            (rows, real), near_to = self.pools(generated, reference), "reference"
        elif generated.pool is None:
            raise Absent("it needs the features of single samples")
        else:
            rows, real, near_to = generated.pool, shared.training, "training"
        if len(real) < LEAST:
            raise Absent(f"{len(real)} {near_to} images are too few to know how near is near")
        originals = len(real)
        if self.mirrored and shared.mirrored is None:
            raise Absent(f"there are no features of the {near_to} images mirrored")
        mirror = shared.mirrored if self.mirrored else None
        others = real if mirror is None else np.concatenate([real, mirror])
        _, apart = nearest(real, others, same=True)
        threshold = float(np.quantile(apart, self.expected, method="weibull"))  # unbiased
        found, distances = nearest(rows, others)
        near = distances < threshold
        order = np.argsort(distances, kind="stable")[:SHOWN]
        details = {
            "threshold": threshold,
            "expected": self.expected,
            **({"recall_images": len(real)} if near_to == "reference" else {}),
            "near_to": near_to,
            "near_to_images": originals,
            "nearest_samples": [int(i) for i in order],
            # among these images, in their order
            f"nearest_{near_to}": [int(found[i]) % originals for i in order],
            "nearest_distances": [float(distances[i]) for i in order],
        }
        if mirror is not None:
            details["nearest_is_mirrored"] = [bool(found[i] >= originals) for i in order]
        method = "standard error of the mean over samples, given the threshold"
        return Value(float(near.mean()), of_mean(near), len(near) - 1, method, details)


def nearest(
    rows: NDArray[np.float32], others: NDArray[np.float32], same: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The nearest of `others` (M, D) to each row (N, D), and its distance: (N,), (N,) float64.

    same: the rows are the first N of the others, which may go on with N changed copies of them; a
    row is the neighbour of none of its own. Candidates are found from float32 products of centred
    rows, distances from differences in float64.
    """
    import numpy as np

    centre = others.mean(axis=0)
    b = (others - centre).astype(np.float32)
    norms = (b**2).sum(axis=1)
    index = np.empty(len(rows), dtype=np.intp)
    distance = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        scores = norms - 2 * ((block - centre).astype(np.float32) @ b.T)
        own = np.arange(len(block))
        if same:
            for copy in range(start, len(others), len(rows)):
                scores[own, copy + own] = np.inf
        index[start : start + BLOCK] = chosen = scores.argmin(axis=1)
        difference = block.astype(np.float64) - others[chosen]
        distance[start : start + BLOCK] = np.sqrt((difference**2).sum(axis=1))
    return index, distance

"""All metrics of one set of samples against one reference.

A metric that cannot be computed is left out and the reason given; no value stands in for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.components.metric import Absent
from harness.components.metric import Metric as MetricComponent
from harness.errors import BadInput
from harness.metrics.names import chosen
from harness.metrics.shared import Shared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.metrics.features import Features
    from harness.metrics.reference import Reference

DEFAULT_METRICS = ("fd", "sfd", "is", "precision", "recall")  # the paper's five


@dataclass(frozen=True)
class Metric:
    """One measured number: `name` is what it may be called, `std` its spread or None.

    details: what made it. Always samples, extractor, extractor_sha256, reference_sha256 and
    reference_images, std_method (None without std); and what applies of recall_images, k,
    split_size, distance_dtype, seed.
    """

    name: str
    value: float
    std: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    std_df: float | None = None  # degrees of freedom behind `std`
    influence: tuple[float, ...] | None = None  # of groups of samples (harness.metrics.influence)


def measure(
    generated: Features,
    reference: Reference,
    *,
    metrics: Sequence[str | MetricComponent] = DEFAULT_METRICS,
    k: int = 3,
    split_size: int = 5000,
    short_last_chunk: str = "refuse",
    subsets: int = 0,
    seed: int = 0,
    device: str = "cpu",
    absent: Callable[[str, str], None] | None = None,
    training: NDArray[np.float32] | None = None,
    mirrored: NDArray[np.float32] | None = None,
) -> list[Metric]:
    """Measures `generated` against `reference`, in the order of `metrics` (names or components).

    k: neighbours for precision and recall. split_size and short_last_chunk: see
    scores.inception_score. subsets: number of random halves from which the spread of Frechet
    distances is found (0: none; each costs one distance). seed: of subsets. What belongs to one
    metric alone is its component's: KID(subset_size=100).
    training: (M, D) pool features of images that the models were trained on, which metrics of
    copying look at in place of the reference's. mirrored: (M, D) those of their mirror images
    (without `training`, of the reference's).
    absent(name, reason) is called for each metric that cannot be computed; by default it warns.

    Raises BadInput: unknown metric, features of another dimension than the reference's.
    """
    wanted = chosen(metrics)
    check_seed(seed)
    _check_dimensions(generated, reference)
    protocol = (k, split_size, short_last_chunk, subsets, seed, device)
    shared = Shared(wanted, *protocol, training, mirrored)
    common = {
        "samples": len(generated),
        "extractor": reference.extractor,
        "extractor_sha256": reference.extractor_sha256,
        "reference_sha256": reference.sha256,
        "reference_images": reference.images or None,  # ADM's files do not say
    }
    measured = []
    for metric in wanted:
        name = metric.recorded(reference.extractor)
        try:
            found = metric.measure(generated, reference, shared)
            if not math.isfinite(found.value):
                raise Absent(f"the result is {found.value}")
        except Absent as reason:
            if absent is None:
                warnings.warn(f"{name} is not measured: {reason}", stacklevel=2)
            else:
                absent(name, str(reason))
            continue
        details = {"std_method": found.std_method, **common, **found.details}
        measured.append(
            Metric(name, found.value, found.std, details, found.std_df, found.influence)
        )
    return measured


def check_seed(seed: int) -> None:
    """BadInput when `seed` is none of NumPy's."""
    if not 0 <= seed < 2**32:
        raise BadInput(f"the seed of random subsets must be in 0..2**32 - 1, got {seed}")


def _check_dimensions(generated: Features, reference: Reference) -> None:
    for part, theirs in (("pool", reference.pool), ("spatial", reference.spatial)):
        matrix, streamed = getattr(generated, part), getattr(generated, f"{part}_moments")
        ours = matrix.shape[1] if matrix is not None else streamed and streamed.dimensions
        if ours is not None and theirs is not None and ours != theirs.dimensions:
            raise BadInput(
                f"the samples have {ours} {part} features, the reference statistics "
                f"{theirs.dimensions}: they were made with different extractors, or of images of "
                "other pixels"
            )

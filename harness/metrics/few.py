"""A Fréchet distance of fewer images than features, said in one sentence everywhere. No NumPy."""

from __future__ import annotations


def few(
    name: str | None, samples: int, reference_images: int | None, dimensions: int | None
) -> str | None:
    """A warning of a Fréchet distance of too few images; None: enough, or it is not known.

    name: of the metric. A covariance of n images has rank n - 1 at most.

    >>> few("fid", 50, 10_000, 2048)[:44]
    'fid: 50 generated samples for 2048 dimension'
    """
    if dimensions is None:
        return None
    short = [
        f"{count} {which} samples"
        for count, which in ((samples, "generated"), (reference_images, "reference"))
        if count is not None and 0 < count <= dimensions
    ]
    if not short:
        return None
    return (
        f"{f'{name}: ' if name else ''}{' and '.join(short)} for {dimensions} dimensions: the "
        "covariance is rank-deficient and the Frechet distance strongly biased upwards"
    )

"""Kernel Inception Distance (Binkowski et al. 2018): unbiased squared MMD with a cubic kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.moments import checked


def kid(
    generated: ArrayLike,
    real: ArrayLike,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 2020,
) -> float:
    """Mean over random subsets of the unbiased MMD^2 with kernel (x.y / D + 1)^3.

    generated (N, D), real (M, D). Unbiased, so slightly negative values occur for equal
    distributions. With seed 2020 it draws the subsets torch-fidelity draws by default.
    Raises BadInput: a subset larger than either set, another D, NaN.
    """
    return kid_subsets(generated, real, subsets=subsets, subset_size=subset_size, seed=seed)[0]


def kid_subsets(
    generated: ArrayLike, real: ArrayLike, *, subsets: int, subset_size: int, seed: int
) -> tuple[float, float]:
    """Mean and standard deviation over subsets."""
    x, y = checked(generated, "generated features"), checked(real, "real features")
    if x.shape[1] != y.shape[1]:
        raise BadInput(f"generated features have {x.shape[1]} dimensions, real ones {y.shape[1]}")
    if not 2 <= subset_size <= min(len(x), len(y)) or subsets < 1:
        most = min(len(x), len(y))
        raise BadInput(
            f"{subsets:,} subsets of {subset_size:,} images cannot be drawn of {len(x):,} "
            f"generated and {len(y):,} real ones: give subsets of 2 to {most:,} images"
        )
    centre = y.mean(axis=0, dtype=np.float64)
    rng = np.random.RandomState(seed)  # torch-fidelity's generator, so that its subsets are drawn
    values = [
        _squared_mmd(
            x[rng.choice(len(x), subset_size, replace=False)],
            y[rng.choice(len(y), subset_size, replace=False)],
            centre,
        )
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def _squared_mmd(
    x: NDArray[np.floating], y: NDArray[np.floating], centre: NDArray[np.float64]
) -> float:
    m = len(x)
    xx, yy = _kernel(x, x, centre), _kernel(y, y, centre)
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * _kernel(x, y, centre).mean())


def _kernel(
    x: NDArray[np.floating], y: NDArray[np.floating], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    # xy = (x - c)(y - c) + (x - c)c + (y - c)c + cc: the first, of D numbers for each entry, in
    # float32, the others and everything after them in float64. The sums of a million entries
    # nearly cancel, and features far from the origin would leave nothing of them.
    a, b = x - centre, y - centre
    dtype = np.result_type(x.dtype, y.dtype, np.float32)
    product: NDArray[np.float64] = (a.astype(dtype) @ b.astype(dtype).T).astype(np.float64)
    product += (a @ centre)[:, None] + (b @ centre + centre @ centre)
    product /= x.shape[1]
    product += 1
    return product**3

"""Squared distances of feature rows as blockwise products, each with a bound on its rounding error.

Mean-centred, |a|^2 + |b|^2 - 2ab, in float32 or float64; or exactly, from the differences a - b in
float64, for the few pairs that the bounds leave open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

BLOCK = 512  # rows of a block: 1 MB of distances, large enough for full matmul speed
_EPS = 64  # rounding of a squared distance of 2048 terms stays under 20 eps of |a|^2 + |b|^2


@dataclass(frozen=True)
class Points:
    """Feature rows with their centred squared norms; blocks are centred when taken, not copied."""

    rows: NDArray[np.floating]  # (N, D) float32 or float64
    centre: NDArray[np.floating]  # (D,), in the precision that rows are centred in
    norms: NDArray[np.float64]  # (N,) squared
    device: str
    double: bool  # products in float64, not float32

    @classmethod
    def of(
        cls,
        rows: NDArray[np.floating],
        centre: NDArray[np.floating],
        device: str,
        double: bool = False,
    ) -> Points:
        """Points of rows (N, D), whose distances are taken after `centre` (D,) is subtracted."""
        norms = np.empty(len(rows))
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK] - centre
            norms[start : start + BLOCK] = np.einsum("nd,nd->n", block, block, dtype=np.float64)
        return cls(rows, centre, norms, device, double)

    def doubled(self) -> Points:
        """The same points with products in float64."""
        return Points.of(self.rows, self.centre.astype(np.float64), self.device, double=True)

    def in_words(self) -> str:
        """How distances are computed, for the provenance of a value."""
        return f"{'float64' if self.double else 'float32'}, near ties decided from differences"

    @property
    def tolerance(self) -> float:
        """Rounding error of a product's squared distance over |a|^2 + |b|^2, at most."""
        return _EPS * float(np.finfo(np.float64 if self.double else np.float32).eps)

    @property
    def underflow(self) -> float:
        """The error that is added where squares are too small to be represented."""
        tiny = np.finfo(np.float64 if self.double else np.float32).tiny
        return 4 * self.rows.shape[1] * float(tiny)  # type: ignore[no-any-return]

    def blocks(self) -> list[slice]:
        """Slices that cover all rows, BLOCK rows each; the last may be shorter."""
        return [slice(s, min(s + BLOCK, len(self.rows))) for s in range(0, len(self.rows), BLOCK)]

    def block(self, rows: slice | NDArray[np.intp]) -> torch.Tensor:
        """Centred rows (n, D) on the device, in the precision of the products."""
        import torch

        centred = torch.from_numpy(self.rows[rows] - self.centre)
        return centred.to(self.device, torch.float64 if self.double else torch.float32)

    def vector(self, values: NDArray[np.floating]) -> torch.Tensor:
        """(n,) numbers that belong to rows of these points, in the products' precision."""
        import torch

        dtype = np.float64 if self.double else np.float32
        return torch.from_numpy(values.astype(dtype)).to(self.device)


def exact_pairs(
    a: Points, b: Points, i: NDArray[np.intp], j: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Squared distances of rows i of a from rows j of b, (P,) float64, in pieces."""
    squared = np.empty(len(i))
    for start in range(0, len(i), BLOCK):
        some = slice(start, start + BLOCK)
        difference = a.rows[i[some]].astype(np.float64) - b.rows[j[some]]
        squared[some] = np.square(difference, out=difference).sum(axis=1)
    return squared


def bounds(
    points: Points, values: NDArray[np.floating], norms: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bound of d^2, given its rounded value and |a|^2.

    |value - d^2| <= t (|a|^2 + |b|^2), and |b|^2 <= 2 |a|^2 + 2 d^2.
    """
    t = points.tolerance
    error = 3 * t * norms + points.underflow
    return (values - error) / (1 + 2 * t), (values + error) / (1 - 2 * t)


def products_with_all(
    points: Points, rows: NDArray[np.intp], others: Points
) -> NDArray[np.float64]:
    """-2 ab of some rows with all rows of another set: (n, M), float64."""
    a = points.block(rows)
    return np.concatenate(
        [(a @ others.block(columns).T).mul_(-2).double().cpu() for columns in others.blocks()],
        axis=1,
    )


def ball_terms(balls: Points, radii: NDArray[np.float64]) -> tuple[torch.Tensor, torch.Tensor]:
    """|b|^2 - radius^2 less and plus the ball's share of the rounding error: two of (M,)."""
    error = balls.tolerance * (balls.norms + radii) + balls.underflow
    return (
        balls.vector(balls.norms - radii - error),
        balls.vector(balls.norms - radii + error),
    )

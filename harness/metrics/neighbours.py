"""Precision, recall, density and coverage from nearest-neighbour balls, blockwise and exact.

Precision and recall: Kynkaanniemi et al. 2019. A ball around each image of one set reaches to its
k-th neighbour in that set, itself not counted; an image of the other set is inside when its
distance is <= that radius. Density and coverage: Naeem et al. 2020, eq. 2 and 3.

Distances are mean-centred float32 products, |a|^2 + |b|^2 - 2ab, in blocks, so that memory does not
grow with the square of the counts. Comparisons closer than that arithmetic's rounding are decided
again in float64 from the differences themselves; the result is therefore the same for any order,
block size or sharding, and duplicates have distance exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.moments import checked

if TYPE_CHECKING:
    import torch

DISTANCE_DTYPE = "float32, near ties decided in float64"

_BLOCK = 1024  # rows of a block: 4 MB of distances, large enough for full matmul speed
_SPARE = 2  # neighbours kept beyond the k-th, to see whether it is tied
# Rounding of a float32 distance relative to |a|^2 + |b|^2; products of 2048 terms stay under 20 eps
_TOLERANCE = 64 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Manifold:
    """Who lies in whose balls. Precision is inside_real.mean(), recall is inside_generated.mean().

    inside_real (N,): generated image lies in some real ball. inside_generated (M,): real image lies
    in some generated ball. covered (M,): real ball holds a generated image; balls_hit (N,): number
    of real balls each generated image lies in (both with k_density; None when not asked for).
    """

    inside_real: NDArray[np.bool_]
    inside_generated: NDArray[np.bool_]
    covered: NDArray[np.bool_] | None = None
    balls_hit: NDArray[np.int64] | None = None


def precision_recall(
    generated: ArrayLike, real: ArrayLike, k: int = 3, *, device: str = "cpu"
) -> tuple[float, float]:
    """(precision, recall) of features generated (N, D) and real (M, D).

    Equal to ADM's evaluator in its float32 branch. Raises BadInput: NaN, another D, too few images.
    """
    found = manifold(generated, real, k=k, device=device)
    return float(found.inside_real.mean()), float(found.inside_generated.mean())


def density_coverage(
    generated: ArrayLike, real: ArrayLike, k: int = 5, *, device: str = "cpu"
) -> tuple[float, float]:
    """(density, coverage) of generated (N, D) against real (M, D); k=5 as in the paper."""
    found = manifold(generated, real, k=None, k_density=k, device=device)
    assert found.balls_hit is not None and found.covered is not None
    return float((found.balls_hit / k).mean()), float(found.covered.mean())


def manifold(
    generated: ArrayLike,
    real: ArrayLike,
    *,
    k: int | None = 3,
    k_density: int | None = None,
    device: str = "cpu",
) -> Manifold:
    """Ball membership both ways, in one pass over the distances.

    k=None leaves out precision and recall (their arrays are empty), k_density=None density and
    coverage. Raises BadInput: NaN, different dimensions, not more than k images.
    """
    ours, theirs = _rows(generated, "generated"), _rows(real, "real")
    if ours.shape[1] != theirs.shape[1]:
        raise BadInput(
            f"generated features have {ours.shape[1]} dimensions, real ones {theirs.shape[1]}"
        )
    for asked in (k, k_density):
        if asked is not None and asked < 1:
            raise BadInput(f"k must be at least 1, got {asked}")
    largest = max(k or 0, k_density or 0)
    for name, rows, needed in (("generated", ours, k or 0), ("real", theirs, largest)):
        if len(rows) <= needed:
            raise BadInput(
                f"k={needed} neighbours need at least {needed + 1} {name} images, "
                f"there are {len(rows)}"
            )
    centre = theirs.mean(axis=0, dtype=np.float64).astype(np.float32)
    g, r = _Points.of(ours, centre, device), _Points.of(theirs, centre, device)
    wanted = sorted({asked for asked in (k, k_density) if asked is not None})
    real_radii = dict(zip(wanted, _squared_radii(r, wanted), strict=True))
    inside_real = inside_generated = np.zeros(0, dtype=bool)
    covered = balls_hit = None
    if k is not None:
        (generated_radii,) = _squared_radii(g, [k])
        inside_real, inside_generated = _inside(g, r, generated_radii, real_radii[k])
    if k_density is not None:
        covered, balls_hit = _balls(g, r, real_radii[k_density])
    return Manifold(inside_real, inside_generated, covered, balls_hit)


def _rows(x: ArrayLike, name: str) -> NDArray[np.float32]:
    return np.ascontiguousarray(checked(x, f"{name} features"), dtype=np.float32)


@dataclass(frozen=True)
class _Points:
    """Feature rows with their centred squared norms; blocks are centred when taken, not copied."""

    rows: NDArray[np.float32]
    centre: NDArray[np.float32]
    norms: NDArray[np.float32]
    device: str

    @classmethod
    def of(cls, rows: NDArray[np.float32], centre: NDArray[np.float32], device: str) -> _Points:
        norms = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK] - centre
            norms[start : start + _BLOCK] = np.einsum("nd,nd->n", block, block, dtype=np.float64)
        return cls(rows, centre, norms, device)

    def blocks(self) -> list[slice]:
        return [slice(s, min(s + _BLOCK, len(self.rows))) for s in range(0, len(self.rows), _BLOCK)]

    def block(self, rows: slice | NDArray[np.intp]) -> torch.Tensor:
        import torch

        return torch.from_numpy(self.rows[rows] - self.centre).to(self.device)

    def vector(self, values: NDArray[np.floating], rows: slice | NDArray[np.intp]) -> torch.Tensor:
        import torch

        return torch.from_numpy(values[rows].astype(np.float32)).to(self.device)

    def scale(self) -> float:
        return float(self.norms.max(initial=0.0))


def _exact(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared distances in float64 of the rows of a and b, broadcast over leading axes."""
    difference = a.astype(np.float64) - b
    squared: NDArray[np.float64] = np.square(difference, out=difference).sum(axis=-1)
    return squared


def _squared_radii(points: _Points, ks: list[int]) -> list[NDArray[np.float64]]:
    """Squared distance of every point to its k-th neighbour, for each k: (N,) float64."""
    import torch

    n = len(points.rows)
    keep = min(max(ks) + _SPARE, n - 1)
    best = torch.full((n, keep), torch.inf)
    index = torch.zeros((n, keep), dtype=torch.int64)
    blocks = points.blocks()

    def offer(rows: slice, columns: slice, values: torch.Tensor) -> None:
        found = torch.topk(values, min(keep, values.shape[1]), dim=1, largest=False, sorted=False)
        candidates = torch.cat([best[rows], found.values.cpu()], dim=1)
        indices = torch.cat([index[rows], found.indices.cpu() + columns.start], dim=1)
        chosen = torch.topk(candidates, keep, dim=1, largest=False, sorted=False)
        best[rows] = chosen.values
        index[rows] = indices.gather(1, chosen.indices)

    for i, rows in enumerate(blocks):
        a, norms_a = points.block(rows), points.vector(points.norms, rows)
        for columns in blocks[i:]:  # the matrix is symmetric: each block serves rows and columns
            b = a if columns is rows else points.block(columns)
            norms_b = points.vector(points.norms, columns)
            squared = torch.addmm(norms_b, a, b.T, alpha=-2).add_(norms_a[:, None])
            if columns is rows:
                squared.fill_diagonal_(torch.inf)
            else:
                offer(columns, rows, squared.T.contiguous())
            offer(rows, columns, squared)
    return [_exact_radii(points, best.numpy(), index.numpy(), k) for k in ks]


def _exact_radii(
    points: _Points, distances: NDArray[np.float32], index: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """The k-th smallest of each row's neighbours, in float64 wherever it could be the k-th."""
    kth = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    tolerance = 2 * _TOLERANCE * (points.norms[:, None] + points.scale())
    exact = np.where(distances < kth, -np.inf, np.inf)  # surely nearer, surely farther
    rows, columns = np.nonzero(np.abs(distances - kth) <= tolerance)
    for start in range(0, len(rows), 1024):
        i, j = rows[start : start + 1024], columns[start : start + 1024]
        exact[i, j] = _exact(points.rows[i], points.rows[index[i, j]])
    exact.sort(axis=1)
    return exact[:, k - 1].copy()


def _inside(
    g: _Points, r: _Points, g_radii: NDArray[np.float64], r_radii: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,): generated image in some real ball; (M,): real image in some generated ball."""
    import torch

    # Smallest distance^2 - radius^2 of each image over the balls of the other set. The terms that
    # are constant along a minimum are added after it.
    margin_g = torch.full((len(g.rows),), torch.inf)
    margin_r = torch.full((len(r.rows),), torch.inf)
    for rows in g.blocks():
        a = g.block(rows)
        offset_g = g.vector(g.norms - g_radii, rows)[:, None]
        for columns in r.blocks():
            product = torch.mm(a, r.block(columns).T).mul_(-2)
            nearest = (product + r.vector(r.norms - r_radii, columns)).amin(dim=1).cpu()
            margin_g[rows] = torch.minimum(margin_g[rows], nearest)
            nearest = product.add_(offset_g).amin(dim=0).cpu()
            margin_r[columns] = torch.minimum(margin_r[columns], nearest)
    inside_real = _decide(margin_g.numpy() + g.norms, g, r, r_radii)
    inside_generated = _decide(margin_r.numpy() + r.norms, r, g, g_radii)
    return inside_real, inside_generated


def _decide(
    margins: NDArray[np.float32], points: _Points, balls: _Points, radii: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """margins <= 0, with those within rounding of 0 decided again in float64."""
    tolerance = _TOLERANCE * (points.norms + balls.scale())
    inside: NDArray[np.bool_] = margins <= 0
    for row in np.flatnonzero(np.abs(margins) <= tolerance).tolist():
        inside[row] = _touches(row, float(tolerance[row]), points, balls, radii)
    return inside


def _touches(
    row: int, tolerance: float, points: _Points, balls: _Points, radii: NDArray[np.float64]
) -> bool:
    """Whether a point whose best margin is within rounding lies in a ball, in float64."""
    margins = _margins(points, row, balls, radii)
    near = np.flatnonzero(margins <= 2 * tolerance)
    near = near[np.argsort(margins[near])]
    for start in range(0, len(near), 64):  # with many duplicates the first few already decide
        some = near[start : start + 64]
        if (_exact(points.rows[row], balls.rows[some]) <= radii[some]).any():
            return True
    return False


def _margins(
    points: _Points, row: int, balls: _Points, radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    margins = np.empty(len(balls.rows))
    point = points.rows[row] - points.centre
    for columns in balls.blocks():
        product = (balls.rows[columns] - balls.centre) @ point
        margins[columns] = points.norms[row] + balls.norms[columns] - 2 * product - radii[columns]
    return margins


def _balls(
    g: _Points, r: _Points, radii: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(M,): real ball holds a generated image; (N,): real balls each generated image lies in."""
    import torch

    covered = np.zeros(len(r.rows), dtype=bool)
    hits = np.zeros(len(g.rows), dtype=np.int64)
    for rows in g.blocks():
        a, norms_g = g.block(rows), g.vector(g.norms, rows)[:, None]
        for columns in r.blocks():
            offset = r.vector(r.norms - radii, columns)
            margins = torch.addmm(offset, a, r.block(columns).T, alpha=-2).add_(norms_g).cpu()
            tolerance = _TOLERANCE * (g.norms[rows].max() + r.norms[columns].max())
            inside = (margins <= 0).numpy()
            pairs = np.argwhere((margins.abs() <= tolerance).numpy())
            for start in range(0, len(pairs), 1024):
                i, j = pairs[start : start + 1024].T
                squared = _exact(g.rows[rows][i], r.rows[columns][j])
                inside[i, j] = squared <= radii[columns][j]
            covered[columns] |= inside.any(axis=0)
            hits[rows] += inside.sum(axis=1)
    return covered, hits

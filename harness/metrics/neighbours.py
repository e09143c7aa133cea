"""Precision, recall, density and coverage from nearest-neighbour balls, blockwise and exact.

Precision and recall: Kynkaanniemi et al. 2019. A ball around each image of one set reaches to its
k-th neighbour in that set, itself not counted; an image of the other set is inside when its
distance is <= that radius. Density and coverage: Naeem et al. 2020, eq. 2 and 3.

Squared distances are mean-centred float32 products, |a|^2 + |b|^2 - 2ab, in blocks, so that memory
does not grow with the square of the counts. Each has a bound on its rounding error. What the bounds
leave open is decided in float64 from the differences a - b themselves; where they leave most open
(features whose spread is a thousandth of their distance from the mean), the products are float64.
The result is therefore the same for any order, block size or sharding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import BadInput
from harness.metrics.distances import Points, ball_terms, bounds, exact_pairs, products_with_all
from harness.metrics.moments import checked
from harness.metrics.precision import full_float32

# These three decide how long it takes, and nothing else.
_FEW = 64  # rows of a block that is as wide as a whole set
_SPARE = 2  # neighbours kept beyond the k-th, to prove that no other could be the k-th
_OPEN = 0.1  # share of radii that float32 may leave open before float64 is the faster
_LARGEST = 1e32  # squared norm whose sums and doubles float32 can hold


@dataclass(frozen=True)
class Manifold:
    """Which images lie in which balls. Precision is inside_real.mean(), recall is
    inside_generated.mean().

    inside_real (N,): generated image lies in some real ball. inside_generated (M,): real image lies
    in some generated ball. covered (M,): real ball holds a generated image; balls_hit (N,): number
    of real balls each generated image lies in (both with k_density; None when not asked for).
    distance_dtype: of the products, in words, for the record.
    """

    inside_real: NDArray[np.bool_]
    inside_generated: NDArray[np.bool_]
    covered: NDArray[np.bool_] | None
    balls_hit: NDArray[np.int64] | None
    distance_dtype: str


class _TooCoarse(Exception):
    """float32 leaves too many comparisons open."""


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
    for name, rows, needed in (
        ("generated", ours, k or 0),
        ("real", theirs, largest),
    ):
        if len(rows) <= needed:
            raise BadInput(
                f"k={needed} neighbours need at least {needed + 1} {name} images, "
                f"there are {len(rows)}"
            )
    centre = theirs.mean(axis=0, dtype=np.float64).astype(theirs.dtype)
    g, r = Points.of(ours, centre, device), Points.of(theirs, centre, device)
    with full_float32():
        if max(float(g.norms.max()), float(r.norms.max())) < _LARGEST:
            with suppress(_TooCoarse):
                return _manifold(g, r, k, k_density)
        return _manifold(g.doubled(), r.doubled(), k, k_density)


def _rows(x: ArrayLike, name: str) -> NDArray[np.floating]:
    array = checked(x, f"{name} features")
    if array.size and max(float(array.max()), -float(array.min())) > 1e150:
        raise BadInput(f"{name} features: numbers above 1e150 have no squares")
    return np.ascontiguousarray(array, np.float64 if array.dtype.itemsize > 4 else np.float32)


def _manifold(g: Points, r: Points, k: int | None, k_density: int | None) -> Manifold:
    wanted = sorted({asked for asked in (k, k_density) if asked is not None})
    real_radii = dict(zip(wanted, _squared_radii(r, wanted), strict=True))
    inside_real = inside_generated = np.zeros(0, dtype=bool)
    covered = balls_hit = None
    if k is not None:
        (generated_radii,) = _squared_radii(g, [k])
        inside_real, inside_generated = _inside(g, r, generated_radii, real_radii[k])
    if k_density is not None:
        covered, balls_hit = _balls(g, r, real_radii[k_density])
    return Manifold(inside_real, inside_generated, covered, balls_hit, g.in_words())


def _squared_radii(points: Points, ks: list[int]) -> list[NDArray[np.float64]]:
    """Squared distance of every point to its k-th neighbour, for each k: (N,) float64."""
    n = len(points.rows)
    keep = min(max(ks) + _SPARE, n - 1)
    values, index = _nearest(points, keep)
    radii = [_kth(points, values, index, k) for k in ks]
    if keep == n - 1:
        return radii
    # No image that was left out is nearer than this; at 0 none can be nearer.
    bound = bounds(points, values.max(axis=1), points.norms)[0]
    largest = radii[int(np.argmax(ks))]
    left_open = np.flatnonzero((largest > bound) & (largest > 0))
    if len(left_open) > max(_OPEN * n, _FEW) and not points.double:
        raise _TooCoarse
    for row, candidates in _candidates(points, left_open, largest):
        squared = np.sort(exact_pairs(points, points, np.full(len(candidates), row), candidates))
        for found, k in zip(radii, ks, strict=True):
            found[row] = squared[k - 1]
    return radii


def _kth(
    points: Points, values: NDArray[np.floating], index: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """The k-th smallest distance of each row's kept ones, exact: (N,)."""
    norms = points.norms[:, None]
    low, high = bounds(points, values, norms)
    low_kth, high_kth = bounds(points, np.partition(values, k - 1, axis=1)[:, k - 1 : k], norms)
    exact = np.where(high < low_kth, -np.inf, np.inf)  # surely nearer, surely farther
    rows, columns = np.nonzero((low <= high_kth) & (high >= low_kth))
    exact[rows, columns] = exact_pairs(points, points, rows, index[rows, columns])
    exact.sort(axis=1)
    return exact[:, k - 1].copy()


def _nearest(points: Points, keep: int) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Rounded squared distances and rows of the `keep` nearest others of each: (N, keep)."""
    import torch

    n = len(points.rows)
    best = torch.full((n, keep), torch.inf, dtype=torch.float64 if points.double else None)
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
        a, norms_a = points.block(rows), points.vector(points.norms[rows])
        for columns in blocks[i:]:  # the matrix is symmetric: each block serves rows and columns
            b = a if columns is rows else points.block(columns)
            norms_b = points.vector(points.norms[columns])
            squared = torch.addmm(norms_b, a, b.T, alpha=-2).add_(norms_a[:, None])
            if columns is rows:
                squared.fill_diagonal_(torch.inf)
            else:
                offer(columns, rows, squared.T.contiguous())
            offer(rows, columns, squared)
    return best.numpy(), index.numpy()


def _candidates(
    points: Points, rows: NDArray[np.intp], limits: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """For each of `rows`: the others that could be as near as sqrt(limits[row])."""
    for start in range(0, len(rows), _FEW):
        some = rows[start : start + _FEW]
        values = products_with_all(points, some, points) + points.norms + points.norms[some, None]
        low, _ = bounds(points, values, points.norms[some, None])
        for row, nearer in zip(some.tolist(), low <= limits[some, None], strict=True):
            nearer[row] = False
            yield row, np.flatnonzero(nearer)


def _inside(
    g: Points, r: Points, g_radii: NDArray[np.float64], r_radii: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,): generated image in some real ball; (M,): real image in some generated ball."""
    import torch

    # Bounds of each image's smallest d^2 - radius^2 over the balls of the other set. The terms that
    # are constant along a minimum are added after it.
    dtype = torch.float64 if g.double else torch.float32
    least_g, most_g = torch.full((2, len(g.rows)), torch.inf, dtype=dtype)
    least_r, most_r = torch.full((2, len(r.rows)), torch.inf, dtype=dtype)
    low_g, high_g = ball_terms(g, g_radii)
    low_r, high_r = ball_terms(r, r_radii)
    for rows in g.blocks():
        a = g.block(rows)
        for columns in r.blocks():
            product = torch.mm(a, r.block(columns).T).mul_(-2)
            shifted = torch.empty_like(product)
            for term, extreme, mine, along in (
                (low_r[columns], least_g, rows, 1),
                (high_r[columns], most_g, rows, 1),
                (low_g[rows, None], least_r, columns, 0),
                (high_g[rows, None], most_r, columns, 0),
            ):
                nearest = torch.add(product, term, out=shifted).amin(dim=along).cpu()
                torch.minimum(extreme[mine], nearest, out=extreme[mine])
    return (
        _decide(least_g.numpy(), most_g.numpy(), g, r, r_radii),
        _decide(least_r.numpy(), most_r.numpy(), r, g, g_radii),
    )


def _decide(
    least: NDArray[np.floating],
    most: NDArray[np.floating],
    points: Points,
    balls: Points,
    radii: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(N,): in some ball, from bounds without |a|^2; exactly where they do not tell."""
    error = points.tolerance * points.norms + points.underflow
    inside: NDArray[np.bool_] = most + points.norms + error <= 0
    left_open = np.flatnonzero(~inside & (least + points.norms - error <= 0))
    terms = balls.norms - radii - balls.tolerance * (balls.norms + radii) - balls.underflow
    for start in range(0, len(left_open), _FEW):
        some = left_open[start : start + _FEW]
        margins = (
            products_with_all(points, some, balls) + terms + (points.norms - error)[some, None]
        )
        nearest = margins.argmin(axis=1)  # among duplicates, one decides
        inside[some] = exact_pairs(points, balls, some, nearest) <= radii[nearest]
        for row, margin in zip(some.tolist(), margins, strict=True):
            if not inside[row]:
                near = np.flatnonzero(margin <= 0)
                squared = exact_pairs(points, balls, np.full(len(near), row), near)
                inside[row] = bool((squared <= radii[near]).any())
    return inside


def _balls(
    g: Points, r: Points, radii: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(M,): real ball holds a generated image; (N,): real balls each generated image lies in."""
    import torch

    covered = np.zeros(len(r.rows), dtype=bool)
    hits = np.zeros(len(g.rows), dtype=np.int64)
    low, high = ball_terms(r, radii)
    for rows in g.blocks():
        a, norms = g.block(rows), g.norms[rows, None]
        error = g.tolerance * norms + g.underflow
        for columns in r.blocks():
            product = torch.mm(a, r.block(columns).T).mul_(-2)
            inside = (product + high[columns] + g.vector(norms + error) <= 0).cpu().numpy()
            outside = (product + low[columns] + g.vector(norms - error) > 0).cpu().numpy()
            i, j = np.nonzero(~(inside | outside))
            squared = exact_pairs(g, r, i + rows.start, j + columns.start)
            inside[i, j] = squared <= radii[columns][j]
            covered[columns] |= inside.any(axis=0)
            hits[rows] += inside.sum(axis=1)
    return covered, hits

"""Products, and the bounds that they are kept within: the truth lies between them, always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.distances import (
    BLOCK,
    Points,
    ball_terms,
    bounds,
    exact_pairs,
    products_with_all,
)


def points(rows: np.ndarray, double: bool = False, centre: np.ndarray | None = None) -> Points:
    middle = rows.mean(axis=0) if centre is None else centre
    return Points.of(rows, middle.astype(np.float64 if double else rows.dtype), "cpu", double)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.sampled_from([1e-15, 1e-3, 1.0, 1e6]),
    st.sampled_from([0.0, 1.0, 1e4]),
    st.booleans(),
)
def test_the_true_distance_lies_within_the_bounds(
    seed: int, dimensions: int, scale: float, offset: float, double: bool
) -> None:
    """Features of any size, also far from the origin compared with their spread."""
    random = np.random.default_rng(seed)
    rows = (scale * (random.standard_normal((20, dimensions)) + offset)).astype(np.float32)
    other = (scale * (random.standard_normal((15, dimensions)) + offset)).astype(np.float32)
    centre = other.mean(axis=0)
    a, b = points(rows, double, centre), points(other, double, centre)
    everything = np.arange(20)
    computed = products_with_all(a, everything, b) + a.norms[:, None] + b.norms[None]
    i, j = np.divmod(np.arange(20 * 15), 15)
    true = exact_pairs(a, b, i, j).reshape(20, 15)
    low, high = bounds(a, computed, a.norms[:, None])
    assert (low <= true).all() and (true <= high).all()


def test_exact_pairs_are_the_differences_squares() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((2 * BLOCK, 3)).astype(np.float32)
    a = points(rows)
    i, j = random.integers(0, len(rows), (2, BLOCK + 7))  # more than one piece
    expected = ((rows[i].astype(np.float64) - rows[j]) ** 2).sum(axis=1)
    np.testing.assert_allclose(exact_pairs(a, a, i, j), expected, rtol=1e-14)


def test_norms_and_products_are_the_same_over_any_number_of_blocks() -> None:
    rows = np.random.default_rng(0).standard_normal((2 * BLOCK + 5, 4))
    a = points(rows, double=True)
    centred = rows - rows.mean(axis=0)
    np.testing.assert_allclose(a.norms, (centred**2).sum(axis=1))
    some = np.array([0, BLOCK, 2 * BLOCK + 4])
    np.testing.assert_allclose(products_with_all(a, some, a), -2 * centred[some] @ centred.T)
    assert [s.stop - s.start for s in a.blocks()] == [BLOCK, BLOCK, 5]


def test_doubled_points_are_the_same_with_narrower_bounds() -> None:
    a = points(np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32))
    twice = a.doubled()
    assert twice.rows is a.rows and twice.tolerance < a.tolerance / 1e8
    np.testing.assert_allclose(a.norms, twice.norms, rtol=1e-5)
    assert a.in_words().startswith("float32") and twice.in_words().startswith("float64")
    assert a.vector(a.norms).dtype.itemsize == 4 and twice.vector(a.norms).dtype.itemsize == 8


@pytest.mark.parametrize("double", [False, True])
def test_a_balls_terms_hold_its_own_between_them(double: bool) -> None:
    a = points(np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32), double)
    radii = np.linspace(0, 9, 30)
    low, high = (term.double().numpy() for term in ball_terms(a, radii))
    assert (low <= a.norms - radii).all() and (a.norms - radii <= high).all()

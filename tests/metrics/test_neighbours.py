from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics import density_coverage, distances, neighbours, precision_recall
from harness.metrics.neighbours import manifold

quick = settings(max_examples=30, deadline=None)
sizes = st.tuples(st.integers(5, 60), st.integers(5, 60), st.integers(1, 5))


def by_definition(a: np.ndarray, b: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """precision, recall, density, coverage with every distance in float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)

    def squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.square(x[:, None] - y[None]).sum(-1)

    def radii(x: np.ndarray) -> np.ndarray:
        own = squared(x, x)
        np.fill_diagonal(own, np.inf)
        return np.sort(own, axis=1)[:, k - 1]

    cross = squared(a, b)
    in_real, in_generated = cross <= radii(b)[None], cross <= radii(a)[:, None]
    return (
        in_real.any(1).mean(),
        in_generated.any(0).mean(),
        in_real.sum(1).mean() / k,
        in_real.any(0).mean(),
    )


def test_golden_features_give_exactly_the_values_of_adms_evaluator(golden, expected):
    precision, recall = precision_recall(golden["sample"], golden["ref"], k=3)
    assert (precision, recall) == (expected["precision_k3"], expected["recall_k3"])


def test_it_equals_torch_fidelity():
    from torch_fidelity.metric_prc import prc_features_to_metric

    rng = np.random.default_rng(0)
    a, b = (rng.normal(m, 1, (n, 48)).astype(np.float32) for m, n in ((0.1, 700), (0, 900)))
    theirs = prc_features_to_metric(
        torch.from_numpy(a), torch.from_numpy(b), prc_neighborhood=3, verbose=False
    )
    assert precision_recall(a, b) == pytest.approx((theirs["precision"], theirs["recall"]))


@pytest.mark.slow
@quick
@given(st.integers(0, 2**31), sizes, st.integers(1, 4), st.sampled_from([3, 7, 2048]))
def test_it_equals_the_definition_even_with_ties_in_any_block_size(seed, shape, k, block):
    n, m, d = shape
    rng = np.random.default_rng(seed)
    # Points of a small lattice: nearly every comparison is a tie, and many points coincide
    a, b = (rng.integers(0, 4, (rows, d)).astype(np.float32) / 10 + 100 for rows in (n, m))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "BLOCK", block)
        found = (*precision_recall(a, b, k), *density_coverage(a, b, k))
    assert found == pytest.approx(by_definition(a, b, k), abs=1e-12)


@quick
@given(st.integers(0, 2**31), sizes)
def test_precision_and_recall_swap_when_the_sets_swap(seed, shape):
    n, m, d = shape
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.5, 1, (n, d)), rng.normal(0, 1.5, (m, d))
    assert precision_recall(a, b) == precision_recall(b, a)[::-1]


@quick
@given(st.integers(0, 2**31), sizes)
def test_the_order_of_the_images_does_not_matter(seed, shape):
    n, m, d = shape
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 5, (rows, d)).astype(np.float32) for rows in (n, m))
    shuffled = precision_recall(rng.permutation(a), rng.permutation(b))
    assert shuffled == precision_recall(a, b)


def test_equal_sets_have_precision_and_recall_one():
    x = np.random.default_rng(0).normal(size=(50, 6))
    assert precision_recall(x, x) == (1.0, 1.0)
    assert density_coverage(x, x)[1] == 1.0


def test_duplicates_do_not_crash_and_have_radius_zero():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(60, 5)).astype(np.float32)
    collapsed = np.repeat(real[:1], 40, axis=0)  # a model that makes one image, a real one
    assert precision_recall(collapsed, real) == (1.0, 1 / 60)
    assert precision_recall(np.repeat(real[:3], 2, axis=0), real, k=1) == (1.0, 3 / 60)


@quick
@given(st.integers(0, 2**31), st.integers(5, 40), st.integers(1, 6), st.integers(1, 5))
def test_sets_with_any_number_of_copies_are_measured_by_definition(seed, n, distinct, k):
    rng = np.random.default_rng(seed)
    pool = rng.normal(size=(distinct, 3)).astype(np.float32)
    a, b = (pool[rng.integers(0, distinct, size)] for size in (n, n + 3))
    if k < n:
        assert all_four(a, b, k) == pytest.approx(by_definition(a, b, k), abs=1e-12)


def test_a_collapsed_reference_is_handled_as_well():
    same = np.ones((30, 4), dtype=np.float32)
    assert precision_recall(same, same) == (1.0, 1.0)
    assert precision_recall(same + 1, same) == (0.0, 0.0)
    assert density_coverage(same, same, k=3) == (10.0, 1.0)


def all_four(a: np.ndarray, b: np.ndarray, k: int) -> tuple[float, float, float, float]:
    found = manifold(a, b, k=k, k_density=k)
    assert found.balls_hit is not None and found.covered is not None
    return (
        found.inside_real.mean(),
        found.inside_generated.mean(),
        (found.balls_hit / k).mean(),
        found.covered.mean(),
    )


HARD = {
    "clusters far apart": lambda x, rng: x + 10.0 ** rng.integers(1, 7) * (x[:, :1] > 0),
    "an outlier": lambda x, rng: x * np.where(np.arange(len(x)) == 3, 1e7, 1)[:, None],
    "all equally far": lambda x, rng: np.eye(len(x)) + rng.choice([0, 1e-8, 1e-6]) * x[:, :1],
    "many copies": lambda x, rng: x[rng.integers(0, len(x) // 3, len(x))],
    "every scale at once": lambda x, rng: x * 10.0 ** rng.integers(-30, 15, (len(x), 1)),
    "tiny": lambda x, rng: x * 1e-25,
    "huge": lambda x, rng: x * 1e25,
    "a large offset": lambda x, rng: x + 1e6,
}


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", HARD)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), k=st.integers(1, 4), few=st.sampled_from([1, 5, 64]))
def test_it_equals_the_definition_where_float32_products_alone_would_be_wrong(
    shape, dtype, seed, k, few
):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(12, 80)), int(rng.integers(1, 40))
    a, b = (HARD[shape](rng.normal(size=(n, d)), rng).astype(dtype) for _ in range(2))
    a[: n // 4] = b[: n // 4]  # images that are in both sets: their comparisons are ties
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_FEW", few)
        patch.setattr(distances, "BLOCK", int(rng.choice([7, 1024])))
        found = all_four(a, b, k)
    assert found == pytest.approx(by_definition(a, b, k), abs=1e-12)


def star(rays: int, lengths: np.ndarray) -> np.ndarray:
    """(2 * rays, 2 * rays): 10 e_j, each with a companion at its own distance, off the star."""
    points = np.zeros((2 * rays, 2 * rays), np.float32)
    points[np.arange(rays), np.arange(rays)] = 10
    points[rays:, :] = points[:rays]
    points[rays + np.arange(rays), rays + np.arange(rays)] = lengths
    return points


@pytest.mark.parametrize("touching", [0, 40, 69])
def test_of_many_balls_that_nearly_touch_an_image_the_one_that_does_is_found(touching):
    # The origin is at distance 10 from 150 balls, of which one has that radius
    lengths = np.full(70, 10 * (1 - 1e-6), np.float32)
    balls = star(70, lengths)
    origin = np.zeros((2, balls.shape[1]), np.float32)
    origin[1, 0] = 1000
    assert by_definition(origin, balls, 1)[0] == 0 == precision_recall(origin, balls, 1)[0]
    lengths[touching] = 10
    balls = star(70, lengths)
    assert by_definition(origin, balls, 1)[0] == 0.5 == precision_recall(origin, balls, 1)[0]
    assert all_four(origin, balls, 1) == by_definition(origin, balls, 1)
    assert precision_recall(balls, origin, 1)[1] == 0.5  # the same, asked the other way


@pytest.mark.parametrize("nearest", [0, 40, 69])
def test_of_many_neighbours_that_float32_cannot_tell_apart_the_nearest_decides(nearest):
    points = star(70, np.full(70, 1, np.float32))
    points[nearest, nearest] = 10 * (1 - 1e-6)
    points = np.concatenate([points, np.zeros((1, 140), np.float32)])
    outside = np.zeros((2, 140), np.float32)
    outside[0, 139], outside[1, 139] = 10 * (1 - 2e-6), 10 * (1 - 0.5e-6)  # of the origin's ball
    found = manifold(outside, points, k=1, k_density=1)
    assert found.distance_dtype.startswith("float32")
    assert found.inside_real.tolist() == [True, False]
    assert all_four(outside, points, 1) == by_definition(outside, points, 1)


def test_the_record_says_in_which_precision_the_products_were():
    rng = np.random.default_rng(0)
    near = rng.normal(size=(200, 8))
    far = near + 1e5 * (np.arange(200) % 2)[:, None]
    assert manifold(near, near).distance_dtype == "float32, near ties decided from differences"
    assert manifold(far, far).distance_dtype == "float64, near ties decided from differences"


def test_numbers_without_squares_are_refused():
    with pytest.raises(BadInput, match="numbers above 1e150"):
        precision_recall(np.full((9, 2), 1e200), np.ones((9, 2)))


def test_features_far_from_the_origin_keep_their_neighbours():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 8)), rng.normal(0.3, 1, (200, 8))
    shifted = [(x + 512).astype(np.float32) for x in (a, b)]
    assert precision_recall(*shifted) == pytest.approx(by_definition(*shifted, 3)[:2], abs=1e-12)


def test_noise_lowers_precision():
    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(2, 500, 4))
    noise = rng.normal(size=other.shape)
    values = [precision_recall(other + s * noise, real)[0] for s in (0, 1, 4)]
    assert values == sorted(values, reverse=True) and values[0] > 0.8 > 0.5 > values[2]


@pytest.mark.parametrize(
    ("a", "b", "k", "message"),
    [
        (np.ones((9, 2)), np.ones((9, 3)), 3, "2 dimensions, real ones 3"),
        (np.ones((3, 2)), np.ones((9, 2)), 3, "at least 4 generated images, there are 3"),
        (np.ones((9, 2)), np.ones((3, 2)), 3, "at least 4 real images, there are 3"),
        (np.ones((9, 2)), np.ones((9, 2)), 0, "k must be at least 1"),
        (np.full((9, 2), np.nan), np.ones((9, 2)), 3, "generated features: row 0 holds NaN"),
    ],
)
def test_what_has_no_neighbours_is_refused_in_words(a, b, k, message):
    with pytest.raises(BadInput, match=message):
        precision_recall(a, b, k)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics import Moments, MomentsAccumulator


def test_moments_are_those_of_numpy():
    x = np.random.default_rng(0).normal(3, 2, (500, 7)).astype(np.float32)
    moments = Moments.of(x)
    assert moments.count == 500 and moments.dimensions == 7
    np.testing.assert_allclose(moments.mean, x.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(x.astype(np.float64).T), rtol=1e-10)
    np.testing.assert_array_equal(moments.covariance, moments.covariance.T)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**31),
    st.lists(st.integers(1, 3000), min_size=1, max_size=4),
    st.integers(1, 2000),
)
def test_batches_and_shards_do_not_change_the_moments(seed, shards, batch):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(5, 2, (n, 3)) for n in shards]
    whole = np.concatenate([*parts, rng.normal(size=(2, 3))])
    parts.append(whole[-2:])
    total = MomentsAccumulator()
    for part in parts:
        shard = MomentsAccumulator()
        for start in range(0, len(part), batch):
            shard.update(part[start : start + batch])
        total.merge(shard)
    assert total.count == len(whole)
    streamed = total.finish()
    np.testing.assert_allclose(streamed.mean, whole.mean(0), rtol=1e-10)
    np.testing.assert_allclose(streamed.covariance, np.cov(whole.T), rtol=1e-9, atol=1e-9)


def test_features_far_from_the_origin_lose_no_digits():
    x = np.random.default_rng(0).normal(size=(4000, 2))
    far = Moments.of(x + 1e7)
    np.testing.assert_allclose(far.covariance, np.cov(x.T), rtol=1e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**31),
    st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(lambda sizes: sum(sizes) >= 2),
    st.sampled_from([0.0, 1e6]),
)
def test_shards_may_be_merged_in_any_order_and_be_of_one_sample_or_none(seed, sizes, offset):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(offset, 1, (n, 3)) for n in sizes]
    whole = np.concatenate(parts)

    def merged(order) -> Moments:
        total = MomentsAccumulator()
        for i in order:
            total.merge(MomentsAccumulator().update(parts[i]))
        return total.finish()

    for found in (merged(range(len(parts))), merged(rng.permutation(len(parts)))):
        assert found.count == len(whole)
        np.testing.assert_allclose(found.mean, whole.mean(0), rtol=1e-12, atol=1e-12)
        expected = np.cov((whole - offset).T)
        np.testing.assert_allclose(found.covariance, expected, rtol=1e-8, atol=1e-8)


def test_a_reused_batch_buffer_does_not_corrupt_what_was_given_before():
    buffer = np.zeros((4, 2))
    accumulator = MomentsAccumulator()
    for value in range(3):
        buffer[:] = value
        accumulator.update(buffer)
    np.testing.assert_allclose(accumulator.finish().mean, 1.0)


def test_merging_leaves_the_other_as_it_was():
    a, b = MomentsAccumulator().update(np.eye(3)), MomentsAccumulator().update(np.ones((4, 3)))
    a.merge(b)
    a.update(np.zeros((5, 3)))
    assert b.count == 4
    np.testing.assert_array_equal(b.finish().mean, np.ones(3))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((1, 3)), "at least 2 samples, there are 1"),
        (np.ones(3), r"must be an \(N, D\) array"),
        (np.array([[0.0, 1], [np.nan, 1]]), "row 1 holds NaN"),
        (np.array([["a", "b"]]), "array of numbers"),
    ],
)
def test_what_has_no_moments_is_refused_in_words(x, message):
    with pytest.raises(BadInput, match=message):
        Moments.of(x)


def test_features_of_another_width_are_refused():
    accumulator = MomentsAccumulator().update(np.ones((2, 3)))
    with pytest.raises(BadInput, match="4 dimensions, earlier ones had 3"):
        accumulator.update(np.ones((2, 4)))
    with pytest.raises(BadInput, match="4 dimensions, earlier ones had 3"):
        accumulator.merge(MomentsAccumulator().update(np.ones((2, 4))))

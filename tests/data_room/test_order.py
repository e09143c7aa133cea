from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.order import batch_indices, permutation
from harness.errors import BadInput


@given(
    seed=st.integers(0, 2**40),
    batch=st.integers(1, 40),
    size=st.integers(1, 60),
    first=st.integers(0, 20),
)
@settings(max_examples=60, deadline=None)
def test_batches_of_any_size_are_windows_on_one_stream_of_permuted_epochs(seed, batch, size, first):
    epochs = range(first * batch // size, (first + 3) * batch // size + 1)
    stream = np.concatenate([permutation(seed, epoch, size) for epoch in epochs])
    offset = first * batch - epochs[0] * size
    got = np.concatenate([batch_indices(seed, first + k, batch, size) for k in range(3)])
    np.testing.assert_array_equal(got, stream[offset : offset + 3 * batch])
    assert got.dtype == np.int64


def test_every_epoch_reads_every_image_once_in_another_order() -> None:
    epochs = [
        np.concatenate([batch_indices(0, 5 * epoch + k, 10, 50) for k in range(5)])
        for epoch in range(3)
    ]
    for epoch in epochs:
        assert sorted(epoch) == list(range(50))
    assert not (epochs[0] == epochs[1]).all() and not (epochs[1] == epochs[2]).all()


def test_orders_of_different_seeds_differ() -> None:
    assert not (batch_indices(0, 0, 50, 50) == batch_indices(1, 0, 50, 50)).all()


def test_any_split_of_a_global_batch_reads_the_same_images_in_the_same_step() -> None:
    """4 devices x 3, 2 devices x 3 x 2 accumulated, 1 x 12: slices of the same twelve."""
    whole = batch_indices(7, 9, 12, 31)
    for parts in (2, 4, 12):
        pieces = whole.reshape(parts, -1)
        np.testing.assert_array_equal(np.concatenate(list(pieces)), batch_indices(7, 9, 12, 31))


def test_a_batch_is_the_same_whatever_was_asked_before() -> None:
    expected = batch_indices(0, 3, 8, 20)
    for step in (100, 0, 7):
        batch_indices(0, step, 8, 20)
    permutation.cache_clear()
    np.testing.assert_array_equal(batch_indices(0, 3, 8, 20), expected)


def test_changing_a_batch_does_not_change_the_order() -> None:
    batch = batch_indices(0, 0, 4, 20)
    expected = batch.copy()
    batch[:] = 0
    np.testing.assert_array_equal(batch_indices(0, 0, 4, 20), expected)


def test_the_order_stays_what_it_is() -> None:
    """Pinned: a change here changes what a seed means, and old results with it."""
    assert batch_indices(0, 1, 6, 100).tolist() == PINNED


@pytest.mark.parametrize("step, batch, size", [(0, 4, 0), (0, 0, 4), (-1, 4, 4)])
def test_an_empty_data_set_or_batch_is_refused(step, batch, size) -> None:
    with pytest.raises(BadInput, match="no batch to read"):
        batch_indices(0, step, batch, size)


PINNED = [61, 67, 21, 64, 49, 62]

"""Chunks of an Inception Score: how many samples count, and which size is proposed instead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.metrics.chunks import count_used

COUNTS, SIZES = st.integers(1, 3000), st.integers(1, 600)


@given(COUNTS, SIZES)
def test_whole_chunks_are_used_and_a_short_one_as_it_was_asked(count: int, size: int) -> None:
    assert count_used(count, size, "keep") == count
    if count < size:
        with pytest.raises(BadInput, match=f"{count} samples do not fill one chunk of {size}"):
            count_used(count, size, "drop")
        return
    used = count_used(count, size, "drop")
    assert used % size == 0 and 0 <= count - used < size
    if count % size == 0:
        assert used == count_used(count, size, "refuse") == count


@given(COUNTS, SIZES)
def test_the_size_that_is_proposed_does_and_is_not_far_smaller(count: int, size: int) -> None:
    """The score of small chunks is near 1 whatever the samples."""
    if count % size == 0:
        return
    with pytest.raises(BadInput) as caught:
        count_used(count, size, "refuse")
    (said,) = re.findall(r"\(([\d]+) does\)", str(caught.value))
    assert count_used(count, int(said), "refuse") == count
    assert 2 * int(said) >= min(size, count)


@pytest.mark.parametrize(
    ("count", "size", "proposed"), [(10_000, 3000, 2500), (7, 5, 7), (5003, 5000, 5003)]
)
def test_proposals(count: int, size: int, proposed: int) -> None:
    with pytest.raises(BadInput, match=rf"a last chunk of {count % size}, .*\({proposed} does\)"):
        count_used(count, size, "refuse")


def test_bad_sizes_and_words_are_refused() -> None:
    with pytest.raises(BadInput, match="at least 1, got 0"):
        count_used(10, 0, "keep")
    with pytest.raises(BadInput, match="refuse, drop or keep, got 'no'"):
        count_used(10, 5, "no")


def test_chunks_of_one_are_never_advised() -> None:
    with pytest.raises(BadInput, match=r"\(7 does\)"):
        count_used(7, 2, "refuse")

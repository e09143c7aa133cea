"""The training frontier, by its definition."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import compute


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(0.1, 300)), min_size=1, max_size=30))
def test_the_frontier_is_what_no_other_point_beats(points):
    curves = pd.DataFrame(points, columns=["train_gflops", "value"]).assign(label="m")
    front = compute.frontier(curves, "fid")
    assert front["value"].is_monotonic_decreasing and front["train_gflops"].is_monotonic_increasing
    for c, v in points:
        at_most = front[front["train_gflops"] <= c]["value"]
        assert len(at_most) and at_most.min() <= v

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.errors import BadInput
from harness.metrics import kid


def features(n: int, shift: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, 32)).astype(np.float32)


def test_it_equals_torch_fidelity_on_the_subsets_that_draws():
    from torch_fidelity.metric_kid import kid_features_to_metric

    a, b = features(400, 0.2, 0), features(500, 0, 1)
    theirs = kid_features_to_metric(
        torch.from_numpy(a), torch.from_numpy(b), kid_subsets=10, kid_subset_size=200, verbose=False
    )
    ours = kid(a, b, subsets=10, subset_size=200)
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


def test_it_equals_the_definition():
    x, y = (features(20, s, i).astype(np.float64) for i, s in enumerate((0.5, 0)))
    k = [[(u @ v / 32 + 1) ** 3 for v in (*x, *y)] for u in (*x, *y)]
    k = np.array(k)
    xx, yy, xy = k[:20, :20], k[20:, 20:], k[:20, 20:]
    off = ~np.eye(20, dtype=bool)
    definition = xx[off].mean() + yy[off].mean() - 2 * xy.mean()
    assert kid(x, y, subsets=1, subset_size=20) == pytest.approx(definition, rel=1e-10)


@pytest.mark.parametrize(("offset", "accuracy"), [(0, 1e-5), (30, 1e-4), (300, 1e-3)])
def test_features_far_from_the_origin_keep_their_distance(offset, accuracy):
    x, y = features(40, 0.3, 0) + np.float32(offset), features(40, 0, 1) + np.float32(offset)
    exact = kid(x.astype(np.longdouble), y.astype(np.longdouble), 1, 40)
    assert kid(x, y, 1, 40) == pytest.approx(exact, rel=accuracy)


def test_half_precision_features_are_multiplied_in_float32():
    x, y = (features(40, s, i).astype(np.float16) for i, s in enumerate((0.3, 0)))
    expected = kid(x.astype(np.float64), y.astype(np.float64), 1, 40)
    assert kid(x, y, 1, 40) == pytest.approx(expected, rel=1e-4)


def test_equal_distributions_score_about_zero_and_may_be_negative():
    values = [kid(features(300, 0, i), features(300, 0, i + 50), 1, 300) for i in range(20)]
    assert abs(np.mean(values)) < 1e-3 and min(values) < 0
    assert kid(features(300, 0.3, 0), features(300, 0, 1), 1, 300) > 10 * max(values)


def test_subsets_larger_than_a_set_are_refused():
    with pytest.raises(BadInput, match="give subsets of 2 to 30 images"):
        kid(features(30, 0, 0), features(40, 0, 1))
    with pytest.raises(BadInput, match="32 dimensions, real ones 3"):
        kid(features(30, 0, 0), np.ones((30, 3)), subset_size=5)

"""A model that scores as decoded noise does did not learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.analysis.learned import learned, with_and_without


def test_below_the_ceiling_by_more_than_its_error():
    assert learned([50, 98, 99.9, 120], [1.0] * 4, 100, 0.5).tolist() == [True, True, False, False]
    assert learned([50, 120], [1.0] * 2, 100, higher=True).tolist() == [False, True]


def test_what_cannot_be_said_is_none():
    assert learned([50, np.nan], [1.0, 1.0], None).tolist() == [None, None]
    assert learned([50, np.nan, 60], [np.nan, 1.0, 1.0], 100).tolist() == [None, None, True]
    assert learned([50], None, 100).tolist() == [None]


def test_few_degrees_of_freedom_need_a_larger_gap():
    assert learned([97.8], [1.0], 100).tolist() == [True]
    assert learned([97.8], [1.0], 100, df=[2]).tolist() == [False]


@pytest.mark.slow
def test_noise_is_said_to_have_learned_one_time_in_twenty():
    rng = np.random.default_rng(0)
    values = 100 + rng.normal(size=2000)
    wrong = sum(learned(values, np.ones(2000), 100.0))
    assert stats.binom.sf(wrong, 2000, 0.05) > 1e-3 and stats.binom.cdf(wrong, 2000, 0.05) > 1e-3


def test_findings_are_given_with_and_without():
    frame = pd.DataFrame({"value": [1.0, 2.0, 9.0], "learned": [True, None, False]})
    assert with_and_without(frame, lambda f: f["value"].sum()) == (12.0, 3.0)
    assert with_and_without(frame.iloc[:2], len) == (2, None)
    assert with_and_without(frame[["value"]], len) == (3, None)

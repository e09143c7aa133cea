from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.averaging import errors
from harness.analysis.standard_error import standard_errors
from harness.metrics.uncertainty import CHUNKS, GIVEN_BALLS, OVER_HALVES, WHOLE, of_chunks
from harness.store.spread import scale

OLD = {
    "is": "standard deviation over 4 chunks",
    "kid": "standard deviation over 100 random subsets",
    "fd_infinity": "standard error of the line's intercept; nested subsets, so a lower bound",
}


def test_what_older_records_kept_is_read_for_what_it_is() -> None:
    scores = np.array([2.0, 2.2, 1.9, 2.1])
    expected = of_chunks(scores)
    assert expected is not None
    rows = pd.DataFrame({"std": [np.std(scores), 0.1, 0.1], "std_method": [*OLD.values()]})
    found = standard_errors(rows)
    assert found[0] == pytest.approx(expected[0]) and np.isnan(found[1:]).all()
    assert np.isnan(scale("standard deviation over 1 chunks"))


@pytest.mark.parametrize(
    "method", [CHUNKS.format(10), WHOLE.format(10), OVER_HALVES.format(8), GIVEN_BALLS, None, pd.NA]
)
def test_todays_methods_are_standard_errors(method: object) -> None:
    assert scale(method) == 1.0
    rows = pd.DataFrame({"std": [0.3, None], "std_method": [method, method]})
    assert standard_errors(rows)[0] == 0.3 and np.isnan(standard_errors(rows)[1])


def test_an_error_whose_square_is_no_number_is_none() -> None:
    """A report of values near 1e300 ended in an overflow, of values near 1e-300 in a division."""
    std = [1e300, np.inf, 1e-300, -1.0, 0.0, 0.3, 1e74]
    found = standard_errors(pd.DataFrame({"std": std}))
    assert np.isnan(found[:4]).all() and found[4:].tolist() == std[4:]


def test_records_without_the_columns_have_what_there_is() -> None:
    assert np.isnan(standard_errors(pd.DataFrame({"value": [1.0]}))).all()
    assert standard_errors(pd.DataFrame({"std": [0.5]})).tolist() == [0.5]


def test_the_analysis_reads_its_errors_so() -> None:
    rows = pd.DataFrame({"std": [0.3], "std_df": [3.0], "std_method": [OLD["is"]]})
    std, df = errors(rows)
    assert std[0] == pytest.approx(0.3 / np.sqrt(3)) and df[0] == 3
    averaged = pd.DataFrame({"se": [0.3], "se_df": [3.0], "std_method": [OLD["is"]]})
    assert errors(averaged)[0][0] == 0.3  # it was read when it was averaged

"""What a metric gives is the same under the contract, the package and its own module."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from harness import components
from harness.components import measured, metric


def test_it_is_one_class_under_all_its_names() -> None:
    assert components.Value is metric.Value is measured.Value
    assert components.Absent is metric.Absent is measured.Absent
    assert metric.INCEPTION == "inception-2015"


def test_a_value_says_no_more_than_it_was_given() -> None:
    value = measured.Value(1.5)
    assert (value.std, value.std_df, value.std_method, value.influence) == (None,) * 4
    assert value.details == {} and value.details is not measured.Value(1.5).details
    with pytest.raises(FrozenInstanceError):
        value.value = 2.0  # type: ignore[misc]


@pytest.mark.slow
def test_the_metrics_room_is_not_needed_for_it() -> None:
    """Else what metrics are given and the contract that names it would stand in a circle."""
    text = "import sys, harness.components.measured; print('harness.metrics' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

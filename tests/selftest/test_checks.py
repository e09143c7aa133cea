"""One comparison of the self-test."""

from __future__ import annotations

from harness.selftest.checks import within


def test_nothing_that_is_not_a_number_passes():
    assert within("a", float("nan"), "b", "c", least=0.0).status == "failed"
    assert within("a", 1.0, "b", "c", least=0.0).status == "passed"

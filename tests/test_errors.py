"""Errors for the person at the terminal."""

from __future__ import annotations

import pytest

from harness import errors


@pytest.mark.parametrize("kind", [errors.BadInput, errors.Missing])
def test_what_is_raised_on_purpose_is_one_kind_with_its_message(
    kind: type[errors.HarnessError],
) -> None:
    with pytest.raises(errors.HarnessError) as caught:
        raise kind("what, where, and what to do")
    assert str(caught.value) == "what, where, and what to do"


def test_bad_input_can_be_caught_as_pythons_own_and_what_is_missing_cannot() -> None:
    """Who uses the functions from Python expects ValueError of a bad argument."""
    assert issubclass(errors.BadInput, ValueError)
    assert not issubclass(errors.Missing, ValueError)

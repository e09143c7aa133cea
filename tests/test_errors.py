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


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("heads"), "KeyError: 'heads'"),
        (RuntimeError("one\n  two"), "RuntimeError: one two"),
        (TimeoutError(), "TimeoutError"),  # what a network's errors often are
        (errors.BadInput("net.py has\nno heads"), "net.py has no heads"),
        (errors.Missing(), "Missing"),
    ],
)
def test_an_exception_is_one_line_that_is_never_empty(error: Exception, line: str) -> None:
    assert errors.on_one_line(error) == line


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "study is None (NoneType): give a name"),
        ("a" * 200, f"study is '{'a' * 49} ... (str): give a name"),
        (range(3), "study is range(0, 3) (range): give a name"),
    ],
)
def test_an_argument_of_another_type_is_shown_in_short(found: object, said: str) -> None:
    error = errors.another_type("study", found, "a name")
    assert isinstance(error, ValueError) and str(error) == said

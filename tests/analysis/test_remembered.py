"""What is kept is what would be computed; and nothing is kept where a frame may change."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.analysis.remembered import remembered, remembering


@pytest.fixture
def twice():
    """A remembered function that multiplies, and the frames that it was called with."""
    calls = []

    @remembered
    def multiplied(frame: pd.DataFrame, by: int, plus: int = 0) -> pd.DataFrame:
        calls.append(frame)
        return frame * by + plus

    return multiplied, calls


def test_the_same_frame_and_arguments_are_computed_once(twice):
    multiplied, calls = twice
    frame = pd.DataFrame({"a": [1, 2]})
    with remembering():
        found = [multiplied(frame, 2), multiplied(frame, 2), multiplied(frame, 2, plus=0)]
        assert len(calls) == 2  # the default is not looked for: another call, the same answer
        other = [multiplied(frame, 3), multiplied(frame, 2, plus=1), multiplied(frame.copy(), 2)]
    assert [list(f["a"]) for f in found] == [[2, 4]] * 3
    assert [list(f["a"]) for f in other] == [[3, 6], [3, 5], [2, 4]]
    assert len(calls) == 5


def test_two_functions_of_one_frame_are_told_apart():
    frame = pd.DataFrame({"a": [1]})
    doubled, negated = remembered(lambda f: f * 2), remembered(lambda f: -f)
    with remembering():
        assert (doubled(frame)["a"][0], negated(frame)["a"][0]) == (2, -1)


def test_who_changes_what_it_was_given_changes_it_for_nobody_else(twice):
    multiplied, _ = twice
    frame = pd.DataFrame({"a": [1, 2]})
    with remembering():
        for _ in range(2):
            mine = multiplied(frame, 2)
            assert list(mine["a"]) == [2, 4]
            mine.loc[0, "a"] = 99
            mine["b"] = 0


def test_a_frame_within_a_tuple_is_the_callers_own_too():
    pair = remembered(lambda f: (f * 2, ("of", 2)))
    frame = pd.DataFrame({"a": [1]})
    with remembering():
        for _ in range(2):
            mine, fact = pair(frame)
            assert fact == ("of", 2) and list(mine["a"]) == [2]
            mine.loc[0, "a"] = 99


def test_outside_and_in_the_next_one_everything_is_computed_anew(twice):
    multiplied, calls = twice
    frame = pd.DataFrame({"a": [1, 2]})
    with remembering():
        multiplied(frame, 2)
    frame.loc[0, "a"] = 5
    assert list(multiplied(frame, 2)["a"]) == [10, 4]
    with remembering():
        assert list(multiplied(frame, 2)["a"]) == [10, 4]
    with pytest.raises(ZeroDivisionError), remembering():
        raise ZeroDivisionError
    frame.loc[0, "a"] = 6
    assert list(multiplied(frame, 2)["a"]) == [12, 4] and len(calls) == 4


def test_one_within_another_keeps_what_both_found(twice):
    multiplied, calls = twice
    frame = pd.DataFrame({"a": [1]})
    with remembering():
        with remembering():
            multiplied(frame, 2)
        multiplied(frame, 2)
    assert len(calls) == 1
    multiplied(frame, 2)
    assert len(calls) == 2


def test_a_frame_that_is_gone_leaves_its_id_to_no_other(twice):
    multiplied, _ = twice
    with remembering():
        for n in range(50):
            assert multiplied(pd.DataFrame({"a": [n]}), 2)["a"][0] == 2 * n

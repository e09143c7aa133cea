"""The column `influence`: what is written is read, to a 127th of the largest."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from harness.store import influences


def test_what_is_written_is_read_and_short() -> None:
    groups = list(np.random.default_rng(0).normal(size=32) * 1e-7)
    text = influences.written(groups)
    assert text is not None and len(text) < 60
    largest = max(abs(g) for g in groups)
    again = influences.read(text)
    assert again == pytest.approx(groups, abs=largest / 253)
    assert influences.read(influences.written(again)) == pytest.approx(again, rel=1e-3)


@pytest.mark.parametrize("groups", [None, (), [0.0] * 32, [5e-324, 0.0], [float("nan")] * 2])
def test_nothing_is_told_of_groups_that_move_nothing(groups: list[float] | None) -> None:
    assert influences.written(groups) is None


@pytest.mark.parametrize("text", ["", "0.5", "0.5 Av8", "[0.5, 1.0]", "x Av8=", "0.5 Av8=?"])
def test_another_text_tells_nothing(text: str) -> None:
    assert influences.read(text) is None


def test_its_examples_hold() -> None:
    assert doctest.testmod(influences).attempted == 2 and not doctest.testmod(influences).failed

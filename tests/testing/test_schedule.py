"""Built-in schedules keep the laws; a schedule that breaks one is found by that one."""

from __future__ import annotations

from typing import ClassVar

import pytest

import harness.testing
from harness.components import names
from harness.stages.schedules import Cosine, WarmUpStableDecay


@pytest.mark.parametrize("name", names("schedule"))
def test_built_in_schedules_keep_every_law(name) -> None:
    harness.testing.check("schedule", name)


class Negative(Cosine):
    def factor(self, step, horizon):
        return super().factor(step, horizon) - 0.5


class Hurried(Cosine):
    calls: ClassVar[list[int]] = []

    def factor(self, step, horizon):
        self.calls.append(step)
        return super().factor(step, horizon) / len(self.calls)


class Shares(Cosine):
    def shared_until(self, horizon):
        return horizon // 2


class Denies(Cosine):
    @property
    def horizon_matters(self):
        return False


class Overlong(WarmUpStableDecay):
    def shared_until(self, horizon):
        return horizon + 1


BROKEN = [
    (Negative, "factors_are_finite_and_not_negative"),
    (Hurried, "a_factor_is_a_function_of_step_and_horizon"),
    (Shares, "lengths_share_what_is_promised"),
    (Denies, "lengths_share_what_is_promised"),
    (Overlong, "lengths_share_what_is_promised"),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_a_broken_schedule_is_found_by_the_law_it_breaks(broken, law) -> None:
    with pytest.raises(AssertionError, match=f"- {law}: "):
        harness.testing.check("schedule", broken)

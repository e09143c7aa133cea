"""The contract of schedules: what two lengths of training share is trained once."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from harness.components import Schedule, get
from harness.components.schedule import BUILT_IN
from harness.errors import BadInput


class Half(Schedule):
    """Constant for half of the training, then lower."""

    name: ClassVar[str] = "half"

    @property
    def horizon_matters(self) -> bool:
        return True

    def shared_until(self, horizon: int) -> int:
        return horizon // 2

    def factor(self, step: int, horizon: int) -> float:
        return 1.0 if step < self.shared_until(horizon) else 0.1


class Never(Half):
    """Of which no two lengths share a step."""

    name: ClassVar[str] = "never"

    def shared_until(self, horizon: int) -> int:
        return 0


@pytest.mark.parametrize("step", [0, 1, 3, 100])
def test_a_trunk_is_trained_by_a_length_that_shares_it(step: int) -> None:
    assert Half().shared_until(Half().covering(step)) >= step


def test_without_anything_shared_there_is_no_trunk() -> None:
    assert Never().covering(0) == 1
    with pytest.raises(BadInput, match=r"shares its first 5 steps \(never\)"):
        Never().covering(5)


@pytest.mark.parametrize("name", BUILT_IN)
def test_steps_that_are_shared_have_one_rate_whatever_the_length(name: str) -> None:
    schedule: Any = get("schedule", name)()
    if not schedule.horizon_matters:
        assert schedule.shared_until(50) == 50
    for step in range(schedule.shared_until(50)):
        assert schedule.factor(step, 50) == schedule.factor(step, 80)
    assert all(0 <= schedule.factor(step, 50) <= 1 for step in range(50))

"""Learning-rate schedules: their values, what lengths share, and what is refused."""

from __future__ import annotations

import pytest

from harness.errors import BadInput
from harness.stages.schedules import Constant, Cosine, WarmUp, WarmUpStableDecay


def test_a_constant_rate_adds_nothing_to_keys() -> None:
    assert Constant().key_fields("schedule") == {}
    assert Constant.from_key("schedule", {"step": 3}) == Constant()
    assert Constant().shared_until(500) == 500


def test_warm_up_rises_in_equal_parts_to_the_whole_rate() -> None:
    schedule = WarmUp(warmup=4)
    factors = [schedule.factor(step, 10) for step in range(10)]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert schedule.shared_until(10) == 10


def test_cosine_falls_from_the_whole_rate_to_what_is_left() -> None:
    schedule = Cosine(warmup=10, final=0.1)
    assert schedule.factor(9, 110) == schedule.factor(10, 110) == 1.0
    assert schedule.factor(60, 110) == pytest.approx(0.55)
    assert schedule.factor(110, 110) == pytest.approx(0.1)
    assert schedule.horizon_matters
    assert schedule.shared_until(110) == 0


@pytest.mark.parametrize("shape", ["linear", "cosine", "1-sqrt"])
def test_wsd_is_stable_then_falls_to_the_end(shape) -> None:
    schedule = WarmUpStableDecay(warmup=10, decay=0.2, shape=shape)
    factors = [schedule.factor(step, 100) for step in range(100)]
    assert schedule.shared_until(100) == 80
    assert factors[10:80] == [1.0] * 70
    tail = factors[79:]
    assert tail == sorted(tail, reverse=True)
    assert len(set(tail)) == 21
    assert 0 < tail[-1] < 0.1
    assert schedule.factor(100, 100) == pytest.approx(0.0)


def test_a_trunk_is_trained_by_a_horizon_that_covers_it() -> None:
    schedule = WarmUpStableDecay(decay=0.25)
    horizon = schedule.covering(300)
    assert schedule.shared_until(horizon) >= 300
    assert Constant().covering(300) == 300
    with pytest.raises(BadInput, match="no length of training shares its first 300"):
        Cosine().covering(300)


def test_wsd_tails_of_all_lengths_leave_one_trunk() -> None:
    schedule = WarmUpStableDecay(warmup=10, decay=0.25)
    branches = {length: schedule.shared_until(length) for length in (100, 200, 400)}
    assert branches == {100: 75, 200: 150, 400: 300}
    for length, branch in branches.items():
        trunk = [schedule.factor(step, 400) for step in range(branch)]
        assert [schedule.factor(step, length) for step in range(branch)] == trunk
    # six lengths trained apart, and as one trunk with six tails
    lengths = (50, 100, 200, 400, 800, 1600)
    apart = sum(lengths)
    shared = schedule.shared_until(1600) + sum(schedule.decay_steps(n) for n in lengths)
    assert (apart, shared) == (3150, 1987)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (WarmUp(warmup=100), "give fewer than 100"),
        (Cosine(warmup=200), "warms up for 200 steps, training takes 100"),
        (WarmUpStableDecay(warmup=90), "at most 80, or a smaller decay"),
    ],
)
def test_a_schedule_longer_than_the_training_is_refused(schedule, said) -> None:
    with pytest.raises(BadInput, match=said):
        schedule.check(100)
    schedule.check(1000)


def test_settings_are_read_back_from_a_key() -> None:
    for schedule in (WarmUp(warmup=7), Cosine(final=0.1), WarmUpStableDecay(decay=0.1)):
        assert type(schedule).from_key("schedule", schedule.key_fields("schedule")) == schedule

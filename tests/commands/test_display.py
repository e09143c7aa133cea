"""What `run` shows: never more than there is, and a time left that counts what waits."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from harness.commands import display
from harness.commands.display import Estimate, LiveDisplay, PlainDisplay, progress_text
from harness.commands.events import EventStream
from harness.plan.plan import Stage


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, _: str) -> str:
        return "12:00:00"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display, "time", clock)
    return clock


def stage(kind: str, number: int, gflops: float | None = None) -> Stage:
    return Stage(kind, f"{kind}{number}", "{}", {}, {}, (str(number),), gflops)


def do(estimate: Estimate, clock: Clock, one: Stage, seconds: float) -> None:
    estimate.start(one)
    clock.now += seconds
    estimate.finish(one)


def test_stages_that_wait_and_evaluations_count(clock: Clock) -> None:
    """Two trainings of the same size and their evaluations, one after another."""
    trains = [stage("train", i, 100.0) for i in range(2)]
    evaluations = [stage("evaluate", i) for i in range(2)]
    estimate = Estimate([*trains, *evaluations], set())
    assert estimate.seconds() is None
    do(estimate, clock, trains[0], 2.0)
    assert estimate.seconds() == (pytest.approx(2.0), False)  # how long an evaluation takes: ?
    do(estimate, clock, evaluations[0], 17.0)
    assert estimate.seconds() == (pytest.approx(19.0), True)
    do(estimate, clock, trains[1], 2.0)
    assert estimate.seconds() == (pytest.approx(17.0), True)
    do(estimate, clock, evaluations[1], 17.0)
    assert estimate.seconds() is None


def test_what_was_measured_before_fills_in(clock: Clock) -> None:
    stages = [stage("train", 0, 10.0), stage("evaluate", 0)]
    known = {s.key: 30.0 for s in stages}
    assert Estimate(stages, set(), known).seconds() == (pytest.approx(60.0), True)
    assert Estimate(stages, {stages[0].key}, known).seconds() == (pytest.approx(30.0), True)


def test_what_is_done_at_once_divides_and_the_longest_is_no_shorter(clock: Clock) -> None:
    stages = [stage("sample", i, 1.0) for i in range(6)]
    estimate = Estimate(stages, set())
    for one in stages[:2]:
        estimate.start(one)
    clock.now += 10.0
    for one in stages[:2]:
        estimate.finish(one)
    assert estimate.seconds() == (pytest.approx(20.0), True)  # four of 10 s, two at once
    for one in stages[2:5]:
        estimate.finish(one)  # by another driver: they say nothing of how long one takes
    assert estimate.seconds() == (pytest.approx(10.0), True)


def test_the_part_of_a_running_stage_that_is_done_is_not_left(clock: Clock) -> None:
    one = stage("train", 0, 10.0)
    estimate = Estimate([one], set())
    estimate.start(one)
    estimate.progress(one, {"done": 500, "total": 1000})  # resumed there
    clock.now += 10.0
    estimate.progress(one, {"done": 600, "total": 1000})
    assert estimate.seconds() == (pytest.approx(40.0), True)
    estimate.progress(one, {"done": 1700, "total": 1000})
    assert estimate.seconds() is None


def test_progress_never_exceeds_its_total(clock: Clock) -> None:
    out = io.StringIO()
    stages = [stage("train", i, 1.0) for i in range(3)]
    shown = PlainDisplay(stages, {stages[0].key}, "retry", out)
    for one in stages[1:]:
        shown("start", one, {})
        shown("done", one, {})
        shown("found", one, {})  # told twice, by another driver too
    assert "3/3" in out.getvalue() and "4/3" not in out.getvalue()
    more = [*stages, stage("train", 3, 1.0)]  # one was found damaged: there is more to do
    shown("stock", None, {"stages": more, "done": {s.key for s in stages[:2]}})
    assert (shown.done, shown.total) == (2, 4)
    assert progress_text({"done": 17, "total": 16, "unit": "steps"}) == "16 of 16 steps"


class Spends:
    """A study's spending, as a display asks for it."""

    def __init__(self, hours: str) -> None:
        self.hours = hours

    def gpu_hours(self) -> str:
        return self.hours

    def time_spent(self) -> str:
        return self.hours or "2 min 10 s of work"


@pytest.mark.parametrize(
    ("hours", "line", "view"),
    [
        ("12.2 of 500 GPU-hours", ", 12.2 of 500 GPU-hours", "12.2 of 500 GPU-hours"),
        ("", "(in 2.0 s)", "2 min 10 s of work"),
    ],
)
def test_what_was_spent_stands_beside_the_time_left(
    clock: Clock, hours: str, line: str, view: str
) -> None:
    spends: Any = Spends(hours)
    one, out = stage("train", 0, 10.0), io.StringIO()
    plain = PlainDisplay([one], set(), "", out, spending=spends)
    plain("start", one, {})
    clock.now += 2.0
    plain("done", one, {})
    assert out.getvalue().rstrip().endswith(line)
    screen = io.StringIO()
    with LiveDisplay([one], set(), "", screen, spending=spends):
        pass
    assert view in screen.getvalue()


@pytest.mark.parametrize(
    ("waited", "ran", "said"),
    [
        (3600.0, 5.0, "(in 5.0 s)"),  # in a queue; its task said how long it ran
        (2.0, None, "(in 2.0 s)"),
        (None, None, "(while nobody watched)"),  # it had ended before this driver began
        (None, 7.0, "(in 7.0 s)"),
    ],
)
def test_a_stage_took_as_long_as_it_ran_and_not_as_it_waited(
    clock: Clock, waited: float | None, ran: float | None, said: str
) -> None:
    one, out, events = stage("train", 0, 10.0), io.StringIO(), io.StringIO()
    shows = PlainDisplay([one], set(), "", out)
    if waited is not None:
        shows("start", one, {"log": "a"})
        clock.now += waited
    shows("done", one, {"ran": ran})
    assert out.getvalue().rstrip().endswith(said)
    EventStream([one], set(), "", events)("done", one, {"ran": ran})
    assert json.loads(events.getvalue())["seconds"] == ran

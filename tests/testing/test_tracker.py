"""The laws of trackers are kept by one that writes all down, and found broken in a bad one."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from broken_laws import named

from harness.components.tracker import Tracked, Tracker
from harness.testing import check
from harness.testing import tracker as laws

HEARD: list[tuple[str, ...]] = []


class Open:
    def __init__(self, tracked: Tracked) -> None:
        self.run = tracked.run

    def scalars(self, step: int, values: Any) -> None:
        HEARD.append((self.run, "scalars", str(step)))

    def images(self, step: int, name: str, images: Any) -> None:
        HEARD.append((self.run, "images", str(images.shape)))

    def close(self) -> None:
        HEARD.append((self.run, "close"))


class Listening(Tracker):
    """Writes down what it is told."""

    name: ClassVar[str] = "listening"

    def open(self, tracked: Tracked) -> Any:
        return Open(tracked)


class Ascending(Listening):
    """One that cannot go on where another stage left off."""

    def open(self, tracked: Tracked) -> Any:
        run = (str(tracked.results), tracked.run)

        class Strict(Open):
            def scalars(self, step: int, values: Any) -> None:
                if step < TOLD.setdefault(run, step):
                    raise ValueError("steps must ascend")
                TOLD[run] = step

        return Strict(tracked)


class Gray(Listening):
    """One that takes images of one channel only."""

    def open(self, tracked: Tracked) -> Any:
        class Strict(Open):
            def images(self, step: int, name: str, images: Any) -> None:
                if images.shape[-1] != 1:
                    raise ValueError("gray images only")

        return Strict(tracked)


class Single(Listening):
    """One that has one open run in a process: who closes the first closes all."""

    def open(self, tracked: Tracked) -> Any:
        class Shared(Open):
            def scalars(self, step: int, values: Any) -> None:
                if not OPENED:
                    raise RuntimeError("no run is open")

            def close(self) -> None:
                OPENED.clear()

        OPENED.append(tracked.run)
        return Shared(tracked)


OPENED: list[str] = []
TOLD: dict[tuple[str, str], int] = {}


@pytest.fixture(autouse=True)
def forgotten() -> None:
    HEARD.clear()
    TOLD.clear()
    OPENED.clear()


def test_a_good_one_keeps_them_and_hears_of_two_runs_and_both_kinds_of_images() -> None:
    check("tracker", Listening)
    assert len({run for run, *_ in HEARD}) == 2
    assert {what[2] for what in HEARD if what[1] == "images"} == {"(4, 8, 8, 1)", "(4, 8, 8, 3)"}
    assert sum(what[1] == "close" for what in HEARD) == 5


BROKEN = [
    (Ascending, laws.a_run_is_told_by_several_stages),
    (Gray, laws.samples_of_one_and_three_channels_are_taken),
    (Single, laws.two_runs_do_not_meet),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_a_broken_law_is_named_and_no_other(broken: type[Tracker], law: Any) -> None:
    with pytest.raises(AssertionError) as caught:
        check("tracker", broken)
    assert named(caught.value) == [law.__name__]

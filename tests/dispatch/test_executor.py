"""What a driver asks of whatever runs stages."""

from __future__ import annotations

import pytest

from harness.dispatch.executor import Event, Look, Pace, PoolExecutor, QueueExecutor


@pytest.mark.parametrize(
    ("event", "state", "reason"),
    [
        (Event("done", "k"), "done", ""),
        (Event("failed", "k", {"failure": "killed", "message": "by 9"}), "again", "killed: by 9"),
        (Event("lost", "k", {"message": "never began"}), "waiting", "lost: never began"),
        (Event("stopped", "k"), "waiting", "stopped: "),
    ],
)
def test_an_attempt_that_is_over_is_told_as_what_comes_of_it(
    event: Event, state: str, reason: str
) -> None:
    assert Look.ended(event) == Look(state, reason)


def test_the_time_left_is_by_what_was_done_since_it_first_said() -> None:
    pace, content = Pace(), {"done": 100, "total": 400}
    pace.tell(content, now=50.0)
    assert "left_s" not in content, "nothing was done yet: resumed at 100"
    content = {"done": 150, "total": 400}
    pace.tell(content, now=60.0)
    assert content["left_s"] == pytest.approx(50.0)  # 50 in 10 s, 250 to go
    over = {"done": 410, "total": 400}
    pace.tell(over, now=70.0)
    assert over["left_s"] == 0
    empty = {"loss": 1.0}
    pace.tell(empty, now=80.0)
    assert empty == {"loss": 1.0}


class Pool(PoolExecutor):
    places = 0

    def free(self) -> int:
        return self.places


class Queue(QueueExecutor):
    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def ran(self, key: str) -> float | None:
        return self.times.get(key)


def test_a_pool_takes_a_stage_where_a_place_is_free() -> None:
    pool = Pool()
    assert pool.policy == "pool" and not pool.isolates
    assert not pool.fits(None)  # type: ignore[arg-type]
    pool.places = 1
    assert pool.fits(None)  # type: ignore[arg-type]


def test_a_queue_that_says_nothing_has_no_trouble_and_has_not_begun() -> None:
    queue = Queue()
    assert queue.policy == "queue" and queue.trouble() is None and dict(queue.retries) == {}
    assert not queue.begun("a") and queue.foreign(()) == []
    queue.times = {"a": 0.0}
    assert queue.begun("a")


def test_a_queue_looks_as_it_would_adopt() -> None:
    class Over(Queue):
        event: Event | None = None

        def adopt(self, task: object, attempt: object) -> Event | None:
            return self.event

    queue = Over()
    assert queue.look(None, None) == Look("queued")  # type: ignore[arg-type]
    queue.event = Event("done", "k")
    assert queue.look(None, None) == Look("done")  # type: ignore[arg-type]

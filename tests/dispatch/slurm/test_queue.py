"""When SLURM is asked, and what is known until it answers."""

from __future__ import annotations

from pretended_cluster import Clock

from harness.dispatch.slurm.cluster import Cluster, Element, Unreachable
from harness.dispatch.slurm.queue import MOST_ASK_S, Queue

RUNS = {"harness-train-a": {0: Element("7", "RUNNING")}}


class Answers(Cluster):
    """Says what it is given, in turn; an error is raised."""

    def __init__(self, *answers: dict[str, dict[int, Element]] | Unreachable) -> None:
        super().__init__()
        self.answers, self.asked = list(answers), 0

    def queue(self, name: str | None = None) -> dict[str, dict[int, Element]]:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers[1:] else self.answers[0]
        if isinstance(answer, Unreachable):
            raise answer
        return answer


def test_a_quiet_queue_is_asked_ever_more_seldom_and_again_soon_after_a_change(
    clock: Clock,
) -> None:
    cluster = Answers(RUNS)
    queue = Queue(cluster)
    for _ in range(300):
        queue.look()
        clock.now += 1
    assert 10 < cluster.asked < 30
    queue.hurry()
    clock.now += 1
    assert queue.look()


def test_an_outage_is_told_once_and_what_was_known_stays_known(clock: Clock) -> None:
    queue = Queue(Answers(RUNS, Unreachable("x"), Unreachable("y"), RUNS, Unreachable("z")))
    assert queue.look() and queue.news() is None
    told = []
    for _ in range(4):
        clock.now += MOST_ASK_S
        queue.look()
        told.append(queue.news())
        assert queue.at("harness-train-a", 0) == Element("7", "RUNNING")
    assert told == ["x", None, None, "z"]

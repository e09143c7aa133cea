"""The host's rates are counted right, and threads are as many as there are cores to spare."""

from __future__ import annotations

import time

import pytest

from harness.diffusion import feeding


@pytest.mark.parametrize("threads", [0, 1])
def test_rates_are_positive_and_of_their_batches(threads) -> None:
    assert feeding.sampling_rate((3, 4, 4), batch=5, threads=threads, seconds=0.02) > 0
    assert feeding.training_rate((3, 4, 4), batch=40, threads=threads, seconds=0.02) > 0


@pytest.mark.slow
def test_a_rate_counts_images_and_not_batches() -> None:
    asked: list[int] = []

    def draw(step: int) -> None:
        asked.append(step)
        time.sleep(0.01)

    rate = feeding._rate(draw, batch=50, seconds=0.2)
    assert asked == list(range(len(asked)))  # in ascending order, as a sampler asks
    assert 500 < rate <= 5000


def test_threads_leave_a_core_to_the_rest(monkeypatch) -> None:
    for cores, threads in ((1, 1), (2, 1), (4, 3), (64, 4)):
        monkeypatch.setattr(feeding.os, "sched_getaffinity", lambda pid, n=cores: range(n))
        assert feeding.host_threads() == threads


def test_rates_are_by_the_caller_and_by_as_many_threads_as_cores(monkeypatch) -> None:
    """Each from a draw of its own: whose threads drew is what tells the four apart."""
    asked: list[tuple[str, int]] = []

    def rate(name, value):
        def measured(shape, threads, seconds):
            asked.append((name, threads))
            return value * (1 + threads) + len(asked) / 1000  # the later turn is a little better

        return measured

    monkeypatch.setattr(feeding, "sampling_rate", rate("sampling", 100.0))
    monkeypatch.setattr(feeding, "training_rate", rate("training", 10.0))
    monkeypatch.setattr(feeding.os, "sched_getaffinity", lambda pid: set(range(3)))
    found = feeding.host_rates((1, 2, 2))
    assert found.threads == 3
    assert asked[:4] == [("sampling", 0), ("sampling", 3), ("training", 0), ("training", 3)]
    assert found == feeding.HostRates(3, 100.005, 400.006, 10.007, 40.008)

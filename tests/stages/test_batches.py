"""Batches made ahead in a thread are those made when asked for."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from harness.stages.batches import batches

CPU = torch.device("cpu")


def numbered(step: int) -> tuple[torch.Tensor, ...]:
    return torch.tensor([step]), torch.tensor([step * step])


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_come_in_order_however_many_are_made_ahead(ahead: int) -> None:
    made = [(int(a), int(b)) for a, b in batches(numbered, range(3, 9), CPU, ahead)]
    assert made == [(n, n * n) for n in range(3, 9)]


@pytest.mark.slow
def test_no_more_than_asked_are_made_ahead() -> None:
    made: list[int] = []

    def make(step: int) -> tuple[torch.Tensor, ...]:
        made.append(step)
        return numbered(step)

    stream = batches(make, range(100), CPU, 2)
    next(stream)
    time.sleep(0.2)
    assert sorted(made) == [0, 1, 2]  # one taken, two ready
    stream.close()


def test_an_error_while_making_a_batch_is_raised_where_it_is_asked_for() -> None:
    def make(step: int) -> tuple[torch.Tensor, ...]:
        if step == 2:
            raise ValueError("no such latents")
        return numbered(step)

    stream = batches(make, range(5), CPU, 1)
    next(stream)
    next(stream)
    with pytest.raises(ValueError, match="no such latents"):
        next(stream)


def test_closing_ends_the_thread() -> None:
    stream = batches(numbered, range(10**9), CPU, 2)
    next(stream)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


def test_batches_that_take_long_are_made_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=300)  # passes only when three are being made at once

    def make(step: int) -> tuple[torch.Tensor, ...]:
        together.wait()
        return numbered(step)

    assert [int(a) for a, _ in batches(make, range(6), CPU, 3)] == list(range(6))


def test_batches_of_unequal_cost_come_in_order() -> None:
    def make(step: int) -> tuple[torch.Tensor, ...]:
        time.sleep(0.05 if step % 3 == 0 else 0)
        return numbered(step)

    assert [int(a) for a, _ in batches(make, range(12), CPU, 4)] == list(range(12))

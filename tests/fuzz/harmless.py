"""One command line in this process, on damaged input: it may refuse, never crash and never hang."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from harness.cli import main

# How many inputs there are of each kind; of "study" as many for each of its bases.
COUNTS = {"npz": 350, "weights": 150, "checkpoint": 350, "tar": 250, "record": 150, "study": 150}
EVERY = 5  # each fifth input is tried with each change; the others, minutes, before a release
in_parts = pytest.mark.parametrize(
    "part",
    [pytest.param(True, id="sample"), pytest.param(False, marks=pytest.mark.full, id="rest")],
)
PATIENCE_S = 60.0  # a busy machine; what hangs, hangs for longer


def numbers(kind: str, sample: bool) -> list[int]:
    """The inputs of one of the two parts. HARNESS_TEST_INPUTS=N says another number of both."""
    count = int(os.environ.get("HARNESS_TEST_INPUTS", COUNTS[kind]))
    return [i for i in range(count) if (i % EVERY == 0) == sample]


class Hung(BaseException):
    """Not an Exception: nothing may catch it."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise Hung in the main thread after so long."""

    def ring(*_: Any) -> None:
        raise Hung(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def call(*words: str, allowed: tuple[int, ...] = (0, 2)) -> tuple[int | None, str, str | None]:
    """(exit code, all that was said, what is wrong with that or None)."""
    said = io.StringIO()
    code: int | None = None
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("always")
        try:
            with at_most(PATIENCE_S):
                code = main(words)
        except (Exception, Hung):
            return None, said.getvalue(), traceback.format_exc()
    text = said.getvalue()
    if "Traceback (most recent call last)" in text:
        return code, text, f"a traceback:\n{text}"
    if code not in allowed:
        return code, text, f"exit code {code}:\n{text}"
    return code, text, None


def told(problem: str) -> str:
    """The end of a traceback, which says where."""
    return "\n".join(problem.strip().splitlines()[-14:])


def collect(numbers: Iterable[int], one: Callable[[int], str | None]) -> list[str]:
    """What went wrong with these inputs; each kind once, with the first input's number."""
    found: dict[str, str] = {}
    for i in numbers:
        problem = one(i)
        if problem is not None:
            last = told(problem).splitlines()
            kind = next((x for x in reversed(last) if x.strip().startswith("File")), last[-1])
            found.setdefault(kind, f"input {i}: {told(problem)}")
    return list(found.values())

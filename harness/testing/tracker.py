"""Laws of trackers: they are told of a run by several stages, in any order, and never fail it."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.components.tracker import Tracked, Tracker


def a_run_is_told_by_several_stages(tracker: Tracker) -> None:
    """Opened, told and closed twice for one run; steps need not ascend between the two."""
    with _tracked() as tracked:
        for steps in ((10, 20), (5, 30)):
            tracking = tracker.open(tracked)
            for step in steps:
                tracking.scalars(step, {"train/loss": 1.0 / step, "end/fd": 2.0})
            tracking.close()


def samples_of_one_and_three_channels_are_taken(tracker: Tracker) -> None:
    """A strip of samples, uint8, (count, height, width, C)."""
    with _tracked() as tracked:
        tracking = tracker.open(tracked)
        for channels in (1, 3):
            images = np.arange(4 * 8 * 8 * channels, dtype=np.uint8) % 255
            tracking.images(10, f"end/samples-{channels}", images.reshape(4, 8, 8, channels))
        tracking.close()


def two_runs_do_not_meet(tracker: Tracker) -> None:
    """Open at once in one process, as the workers of a machine may have them."""
    with _tracked() as first:
        second = Tracked(first.study, "cd" * 32, "another", first.settings, first.results)
        one, other = tracker.open(first), tracker.open(second)
        one.scalars(1, {"train/loss": 1.0})
        other.scalars(1, {"train/loss": 2.0})
        one.close()
        other.scalars(2, {"train/loss": 3.0})
        other.close()


LAWS = (
    a_run_is_told_by_several_stages,
    samples_of_one_and_three_channels_are_taken,
    two_runs_do_not_meet,
)


@contextlib.contextmanager
def _tracked() -> Iterator[Tracked]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        settings = {"seed": 0, "recipe": {"batch_size": 16}}
        yield Tracked("conformance", "ab" * 32, "a run", settings, Path(folder))

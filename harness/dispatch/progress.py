"""How much of an interrupted stage is on disk already."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from harness.plan.plan import Stage
from harness.plan.wanted import trajectory
from harness.store import codec
from harness.store.artifacts import Store


def saved(store: Store, stages: Iterable[Stage]) -> dict[str, float]:
    """The fraction of each interrupted train stage that its newest checkpoint saves.

    Between the checkpoint that the stage starts from and its last step. One listing, and one more
    for each stage that has left something.
    """
    begun: set[str] = set()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        begun = {entry.name for entry in os.scandir(store.root / "scratch")}
    found: dict[str, float] = {}
    for stage in stages:
        if stage.key in begun and stage.kind == "train" and stage.inputs:
            last = trajectory(stage)[1]
            start = _start(stage, store)
            steps = [start]
            with contextlib.suppress(OSError, ValueError):
                names = os.listdir(store.root / "scratch" / stage.key)
                steps += [int(n.partition("-")[2]) for n in names if n.startswith("step-")]
            if max(steps) > start and last > start:
                found[stage.key] = min(1.0, (max(steps) - start) / (last - start))
    return found


def _start(stage: Stage, store: Store) -> int:
    """The step of the checkpoint that it starts from; 0 if there is none or it is not known."""
    previous = stage.after.get("previous")
    if previous is not None:
        from harness.store.results import TrainResult

        with contextlib.suppress(Exception):
            manifest = store.manifest("train", previous)
            if manifest is not None:
                return codec.result(manifest, TrainResult).step or 0
    return 0

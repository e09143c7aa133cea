"""What the next try of a stage has that the last one did not have, and what only a person can
change.

A cluster can be asked for more of a node's memory, but only where the study says how much is asked
for; a GPU has what it has. It can be asked for more time, up to what a partition grants, and a
stage that keeps what it did goes on. A try with no more than before is made once, since the cause
may have been something else; the message then says that nothing was changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The words of torch, its libraries and our own advice for a GPU's memory.
DEVICE = re.compile(
    r"\b(cuda|hip|mps|xpu)\b.{0,40}out of memory|out of memory on (cuda|hip|mps|xpu)"
    r"|\b(cublas|hipblas|cudnn|miopen)_status_alloc_failed",
    re.IGNORECASE,
)
KEEP_PROGRESS = ("train", "sample", "encode")  # kinds that go on where they were stopped
IMAGES_AT_A_TIME = "fewer images at a time need less"
LESS = {  # what a person can set, by kind; in no key
    "train": f"{IMAGES_AT_A_TIME}: train.batch_per_device (or train.checkpointing=true)",
    **dict.fromkeys(
        ("reference", "sample", "evaluate", "floor", "ceiling", "subset"),
        f"{IMAGES_AT_A_TIME}: batch_size of its evaluation",
    ),
}


@dataclass(frozen=True)
class Remedy:
    """What is done about memory or time that was too little."""

    differs: bool  # has another try more of it?
    again: str  # how it is tried again: a phrase after "tried again"
    end: str = ""  # after the last try: what can be set; a sentence without its full stop


def of_device(message: str | None) -> bool:
    """Was it a GPU's memory that was too small, rather than its machine's?"""
    return DEVICE.search(message or "") is not None


def here(kind: str, message: str, alone: bool) -> Remedy:
    """On this machine. `alone`: had it nothing of ours beside it already?"""
    end = "" if "--set" in message else LESS.get(kind, "")
    if alone:
        return Remedy(True, "with nothing beside it, as before", end)
    return Remedy(True, "with nothing beside it on its device", end)


def of_memory(
    kind: str, message: str, gb: int | None, grows: str | None, setting: str, times: float
) -> Remedy:
    """In a cluster's job that was given `gb` of its node's memory (None: the cluster's default).

    setting: where a study says how much; grows: why no more can be asked for, None where it can;
    times: as much is asked for next.
    """
    if of_device(message):
        again = (
            f"on a GPU like it: {setting} is the memory of the node, and no job has more of a GPU"
        )
        return Remedy(False, again, "" if "--set" in message else LESS.get(kind, ""))
    if grows is not None or gb is None:
        why = grows or f"{setting} is not set"
        again = f"with as much memory as before, because {why}"
        return Remedy(False, again, f"{why}: say how much it needs, as --set {setting}=GB")
    again = f"with {times:g} times its {gb} GB"
    return Remedy(True, again, f"{gb} GB were not enough: set {setting} to more")


def of_time(kind: str, minutes: int, most: bool, setting: str, times: float) -> Remedy | None:
    """In a cluster's job whose `minutes` ended; None for a kind that goes on where it was.

    most: are these all that its partition grants? setting, times: as of_memory has them.
    """
    if kind in KEEP_PROGRESS:
        return None
    spent, grants = f"{minutes:,} minutes", "of its partition"
    if most:
        end = f"{spent} were not enough, and are the most {grants}"
        return Remedy(False, f"from its beginning with the same {spent}, the most {grants}", end)
    again = f"from its beginning with {times:g} times its {spent}, or the most {grants}"
    return Remedy(True, again, f"{spent} were not enough: set {setting} to more")

"""What is done about memory and time that were too little, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.dispatch.failures import growth, settle
from harness.dispatch.ledger import Ledger
from harness.dispatch.remedies import here, of_device, of_memory, of_time

KEY = "f" * 64
SETTING = "dispatch.slurm.mem_gb"


@pytest.mark.parametrize(
    "message",
    [
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79 GiB",
        "RuntimeError: CUDA error: out of memory",
        "OutOfMemoryError: HIP out of memory. Tried to allocate 1 GiB",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "out of memory on cuda:3 with 64 images per pass (CUDA out of memory.)",
    ],
)
def test_a_gpus_memory_is_told_from_its_machines(message: str) -> None:
    assert of_device(message)


@pytest.mark.parametrize(
    "message",
    [
        None,
        "job 7_0 ended as OUT_OF_MEMORY",
        "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory",
        "MemoryError",
        "its worker was killed by SIGKILL: the kernel was out of memory (fewer workers)",
    ],
)
def test_a_machines_memory_is_no_gpus(message: str | None) -> None:
    assert not of_device(message)


def test_a_cluster_is_asked_for_more_where_the_study_says_how_much() -> None:
    remedy = of_memory("train", "job 7 ended", 16, None, SETTING, 1.5)
    assert remedy.differs and remedy.again == "with 1.5 times its 16 GB"
    assert remedy.end == f"16 GB were not enough: set {SETTING} to more"


@pytest.mark.parametrize(
    ("gb", "fixed", "why"),
    [
        (None, None, f"{SETTING} is not set"),
        (16, "the cluster refused more", "the cluster refused more"),
        (None, "dispatch.slurm.extra says it (mem-per-cpu)", "extra says it (mem-per-cpu)"),
    ],
)
def test_where_no_more_can_be_asked_for_it_is_said_with_what_to_set(
    gb: int | None, fixed: str | None, why: str
) -> None:
    remedy = of_memory("train", "job 7 ended", gb, fixed, SETTING, 1.5)
    assert not remedy.differs
    assert "with as much memory as before, because" in remedy.again and why in remedy.again
    assert why in remedy.end and f"--set {SETTING}=GB" in remedy.end


def test_more_memory_of_the_node_is_no_remedy_for_a_gpu() -> None:
    remedy = of_memory("sample", "CUDA out of memory", 16, None, SETTING, 1.5)
    assert not remedy.differs and "on a GPU like it" in remedy.again
    assert "batch_size" in remedy.end


def test_advice_that_an_error_gives_is_not_given_twice() -> None:
    advice = "out of memory on cuda with 8 images; try --set train.batch_per_device=4"
    assert of_memory("train", advice, 16, None, SETTING, 1.5).end == ""
    assert here("train", advice, True).end == ""


def test_here_a_stage_is_tried_again_alone_and_a_second_time_as_before() -> None:
    assert here("train", "it", False).again == "with nothing beside it on its device"
    assert "as before" in here("train", "it", True).again
    # both count as another try: what filled the memory may have been no stage of ours
    assert here("train", "it", False).differs and here("train", "it", True).differs
    assert "train.batch_per_device" in here("train", "it", True).end


def fail(ledger: Ledger, message: str, gb: int | None, limits: dict[str, int] | None = None) -> str:
    remedy = of_memory("train", message, gb, None, SETTING, 1.5)
    attempt = ledger.begin(KEY, "train", "train x", "harness-train-1", 0)
    ended, _ = settle(ledger, attempt, "out of memory", message, limits or {}, remedy=remedy)
    return ended.state


@pytest.mark.parametrize(
    ("message", "gb", "limits", "states"),
    [
        ("job 7 ended as OUT_OF_MEMORY", 16, {}, ["again", "again", "failed"]),
        ("job 7 ended as OUT_OF_MEMORY", None, {}, ["again", "failed"]),
        ("CUDA out of memory", 16, {}, ["again", "failed"]),
        ("CUDA out of memory", 16, {"out of memory": 2}, ["again", "again", "failed"]),
        ("CUDA out of memory", None, {"out of memory": 0}, ["failed"]),
    ],
)
def test_a_try_that_would_have_no_more_is_made_once_or_as_often_as_the_study_says(
    tmp_path: Path, message: str, gb: int | None, limits: dict[str, int], states: list[str]
) -> None:
    ledger = Ledger(tmp_path)
    assert [fail(ledger, message, gb, limits) for _ in states] == states
    *before, last = ledger.attempts(KEY)
    assert all(a.next_try for a in before)
    assert last.next_try is None and last.error and last.error.startswith(f"{message}; ")


def test_a_gpus_memory_asks_for_no_more_of_the_nodes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    fail(ledger, "CUDA out of memory", 16)
    assert growth(ledger.attempts(KEY)) == (1.0, 1.0)
    fail(ledger, "job 7 ended as OUT_OF_MEMORY", 16, {"out of memory": 5})
    assert growth(ledger.attempts(KEY)) == (1.5, 1.0)


def test_a_stage_that_begins_anew_has_more_time_as_far_as_its_partition_grants_it() -> None:
    setting = "dispatch.slurm.minutes"
    more = of_time("evaluate", 60, False, setting, 1.5)
    assert more is not None and more.differs and "1.5 times its 60 minutes" in more.again
    assert setting in more.end
    same = of_time("evaluate", 1440, True, setting, 1.5)
    assert same is not None and not same.differs
    assert "the same 1,440 minutes, the most of its partition" in same.again
    assert "1,440 minutes were not enough" in same.end


@pytest.mark.parametrize("kind", ["train", "sample", "encode"])
def test_what_goes_on_where_it_was_needs_no_more_time(kind: str) -> None:
    assert of_time(kind, 60, True, "dispatch.slurm.minutes", 1.5) is None

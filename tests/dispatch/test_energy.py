"""The GPUs and the energy of an attempt, by a made-up NVML."""

from __future__ import annotations

import builtins
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import boards as made_up
import pytest
import torch
import torch.distributed as dist
from boards import Boards

from harness.dispatch import energy, energy_elsewhere
from harness.dispatch.energy import Meter, added, gpus_of, metered
from harness.plan.stages import Place, Task

TRAIN = Task("train", "a" * 64, "{}", {}, {}, "train x", None, Place(device="auto"))
EVALUATE = replace(TRAIN, kind="evaluate")


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Boards:
    return made_up.install(monkeypatch, tmp_path)


def ranks(patch: pytest.MonkeyPatch, rank: int, size: int, here: int | None = None) -> None:
    patch.setenv("RANK", str(rank))
    patch.setenv("WORLD_SIZE", str(size))
    if here is not None:
        patch.setenv("LOCAL_WORLD_SIZE", str(here))


def test_the_joules_are_what_the_counter_of_its_gpu_advanced(boards: Boards) -> None:
    with metered(TRAIN) as meter:
        assert meter.used() == {"devices": 1, "joules": 0.0}
        boards.drawn["GPU-c"] += 2_500  # CUDA's first is NVML's last
        boards.drawn["GPU-a"] += 99_000
        assert meter.used() == {"devices": 1, "joules": 2.5}
        boards.drawn["GPU-c"] += 500
    boards.drawn["GPU-c"] += 7_000  # of whoever comes next
    assert meter.used() == {"devices": 1, "joules": 3.0}
    assert boards.opened == 0


@pytest.mark.parametrize(
    ("visible", "uuid"), [("1", "GPU-b"), ("2,0", "GPU-a"), ("GPU-b", "GPU-b"), ("GPU-a", "GPU-a")]
)
def test_the_gpu_is_the_one_that_cuda_visible_devices_chose(
    visible: str, uuid: str, boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with metered(TRAIN) as meter:
        for number, each in enumerate(boards.drawn, 1):
            boards.drawn[each] += 1000 * number
        by_board = {"GPU-a": 1.0, "GPU-b": 2.0, "GPU-c": 3.0}
        assert meter.used()["joules"] == by_board[uuid]


def test_two_processes_on_one_gpu_count_it_once(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    ranks(monkeypatch, 0, 2, here=2)
    with metered(TRAIN) as first:
        ranks(monkeypatch, 1, 2, here=2)
        with metered(TRAIN) as second:
            boards.drawn["GPU-b"] += 1000
            assert first.used() == {"devices": 1, "joules": 1.0}
            assert second.used() == {} and second.content() == {}


def test_of_processes_on_a_number_of_machines_that_nobody_says_nothing_is_known(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks(monkeypatch, 0, 2)
    with metered(TRAIN) as meter:
        boards.drawn["GPU-c"] += 2_500
    assert meter.used() == {"devices": None, "joules": None}
    assert boards.opened == 0


def test_the_first_process_reads_for_all_of_its_machine(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-c")
    ranks(monkeypatch, 0, 2, here=2)
    with metered(TRAIN) as meter:
        for uuid, more in (("GPU-a", 1000), ("GPU-b", 99_000), ("GPU-c", 2000)):
            boards.drawn[uuid] += more
        assert meter.used() == {"devices": 2, "joules": 3.0}
    with metered(EVALUATE) as meter:  # which one process does
        assert meter.used() == {"devices": 1, "joules": 0.0}


def test_of_machines_that_never_met_the_gpus_are_known_and_the_energy_is_not(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks(monkeypatch, 0, 4, here=2)
    assert gpus_of(TRAIN) == ([0, 1], 2)
    with metered(TRAIN) as meter:
        assert meter.used() == {"devices": 4, "joules": None}
    assert meter.used() == {"devices": 4, "joules": None} and boards.opened == 0


def on_three_machines(patch: pytest.MonkeyPatch, rank: int, **kind: Any) -> Meter:
    """The meter of one of six processes, two on a machine."""
    ranks(patch, rank, 6, here=2)
    patch.setenv("LOCAL_RANK", str(rank % 2))
    return Meter(replace(TRAIN, **kind))


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that tests make here have met, and each counts for itself what it began."""
    store = dist.HashStore()
    monkeypatch.setattr(energy_elsewhere, "_store", lambda name: dist.PrefixStore(name, store))
    monkeypatch.setattr(energy, "subject_of", lambda key: key)


def test_the_first_process_of_each_other_machine_reads_its_boards_for_the_first_of_all(
    boards: Boards, met: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, *others = meters = [
        on_three_machines(monkeypatch, rank)
        for rank in (0, 2, 4)
        if another_machine(monkeypatch, tmp_path / str(rank))
    ]
    for rank in (1, 3, 5):
        on_three_machines(monkeypatch, rank).close()  # which says nothing
    boards.drawn["GPU-c"] += 1000
    boards.drawn["GPU-b"] += 500  # each machine sees the same made-up boards
    for meter in reversed(meters):
        meter.close()
    assert all(other.used() == {} == other.content() for other in others)
    assert first.used() == {"devices": 6, "joules": 4.5} and boards.opened == 0
    boards.drawn["GPU-c"] += 1000
    first.close()
    assert first.used() == {"devices": 6, "joules": 4.5}


def another_machine(patch: pytest.MonkeyPatch, folder: Path) -> bool:
    """From now on, temporary files are another machine's."""
    folder.mkdir()
    patch.setattr("tempfile.tempdir", str(folder))
    return True


def test_a_stage_of_one_process_is_of_one_machine_and_the_others_say_nothing(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count()
    first = on_three_machines(monkeypatch, 0, kind="evaluate")
    other = on_three_machines(monkeypatch, 2, kind="evaluate")
    assert threading.active_count() == before
    boards.drawn["GPU-c"] += 1000
    other.close()
    first.close()
    assert other.used() == {} and first.used() == {"devices": 1, "joules": 1.0}


@pytest.mark.parametrize("why", ["here", "there", "a part"])
def test_the_sum_is_not_known_where_one_machine_has_no_number(
    why: str, boards: Boards, met: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meters = []
    for rank in (0, 2, 4):
        another_machine(monkeypatch, tmp_path / str(rank))
        boards.missing = why == ("here" if rank == 0 else "there" if rank == 2 else "")
        if why == "a part" and rank == 4:
            monkeypatch.setenv(energy.PART, "50")
        meters.append(on_three_machines(monkeypatch, rank))
    for meter in reversed(meters):
        meter.close()
    assert meters[0].used() == {"devices": 6, "joules": None} and boards.opened == 0


def test_a_reading_that_hangs_on_another_machine_does_not_hold_its_stage_up(
    boards: Boards, met: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy_elsewhere, "LAST_S", 0.05)
    other, go_on = on_three_machines(monkeypatch, 2), threading.Event()
    monkeypatch.setattr(boards, "nvmlDeviceGetTotalEnergyConsumption", lambda _: go_on.wait(60))
    other.close()
    other.close()
    assert boards.opened == 1, "NVML may hang in its shutdown as well"
    go_on.set()


def test_on_a_processor_there_are_no_gpus(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> None:
    none = {"devices": 0, "joules": None}
    with metered(replace(TRAIN, place=Place(device="cpu"))) as meter:
        assert meter.used() == none
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with metered(TRAIN) as meter:
        assert meter.used() == none


def test_stages_that_share_a_gpu_claim_nothing_of_its_energy(boards: Boards) -> None:
    first, second = Meter(TRAIN), Meter(EVALUATE)
    boards.drawn["GPU-c"] += 1000
    assert [m.used() for m in (first, second)] == [{"devices": 1, "joules": None}] * 2
    for meter in (first, second):
        meter.close()
    with metered(TRAIN) as third:
        boards.drawn["GPU-c"] += 1000
        assert third.used()["joules"] == 1.0


def test_a_part_of_a_gpu_has_no_counter(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> None:
    none = {"devices": 1, "joules": None}
    with metered(TRAIN, whole=False) as meter:
        assert meter.used() == none
    monkeypatch.setenv(energy.PART, "50")
    with metered(TRAIN) as meter:
        assert meter.used() == none


@pytest.mark.parametrize("why", ["mig", "no counter", "no library", "unknown", "no folder"])
def test_what_nvml_does_not_say_is_not_known(
    why: str, boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "mig":
        boards.divided.add("GPU-c")
    elif why == "no counter":
        boards.broken.add("GPU-c")
    elif why == "unknown":
        del boards.drawn["GPU-c"]
    elif why == "no folder":
        monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    boards.missing = why == "no library"
    with metered(TRAIN) as meter:
        assert meter.used() == {"devices": 1, "joules": None}
    assert boards.opened == 0


def test_a_board_that_knows_no_mig_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    boards = made_up.install(monkeypatch, tmp_path, ["GPU-old"])
    with metered(TRAIN) as meter:
        boards.drawn["GPU-old"] += 4000
        assert meter.used() == {"devices": 1, "joules": 4.0}


@pytest.mark.parametrize("how", ["an error", "begun anew"])
def test_a_reading_that_fails_in_the_middle_leaves_none(how: str, boards: Boards) -> None:
    with metered(TRAIN) as meter:
        boards.drawn["GPU-c"] += 1000
        assert meter.used()["joules"] == 1.0
        if how == "an error":
            boards.broken.add("GPU-c")
        else:
            boards.drawn["GPU-c"] = 17  # the driver was loaded again
        assert meter.used() == {"devices": 1, "joules": None}
        boards.broken.clear()
        boards.drawn["GPU-c"] = 10**9
    assert meter.used() == {"devices": 1, "joules": None}


def test_without_the_package_nothing_is_asked_of_cuda(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def lacking(name: str, *more: Any) -> Any:
        if name == "pynvml":
            raise ModuleNotFoundError(name)
        return real(name, *more)

    def refuse(gpu: int) -> Any:
        raise AssertionError("CUDA would be initialized")

    monkeypatch.delitem(sys.modules, "pynvml")
    monkeypatch.setattr(builtins, "__import__", lacking)
    monkeypatch.setattr(torch.cuda, "get_device_properties", refuse)
    with metered(TRAIN) as meter:
        assert meter.used() == {"devices": 1, "joules": None}


def test_variables_that_are_no_numbers_are_the_stages_to_complain_about(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with metered(TRAIN) as meter:
        assert meter.used() == {"devices": None, "joules": None}


def test_progress_says_what_was_used_and_reads_only_now_and_then(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(energy.time, "monotonic", lambda: now[0])
    said: list[dict[str, Any]] = []
    with metered(TRAIN) as meter:
        progress = meter.with_progress(lambda **state: said.append(state))
        for more in (0.0, 1.0, energy.READ_S):
            boards.drawn["GPU-c"] += 1000
            now[0] += more
            progress(done=1)
    assert [state["used"]["joules"] for state in said] == [1.0, 1.0, 3.0]
    assert json.loads(json.dumps(said[0])) == {"done": 1, "used": {"devices": 1, "joules": 1.0}}


def test_what_a_requeued_attempt_used_is_added_up() -> None:
    now = {"devices": 2, "joules": 3.0}
    assert added(None, now) == now
    assert added({"devices": 2, "joules": 4.0}, now) == {"devices": 2, "joules": 7.0}
    assert added({"devices": 2, "joules": None}, now) == {"devices": 2, "joules": None}
    assert added({}, now)["joules"] is None, "a harness that did not count began it"
    assert added({"devices": 2, "joules": 4.0}, {"devices": 2, "joules": None})["joules"] is None
    assert added({}, {}) == {}

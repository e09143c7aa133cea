"""Checkpoints written in a thread: whole or not at all, the newest few, errors not lost."""

from __future__ import annotations

import errno
import io
import itertools
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.stages import checkpoints
from harness.stages.checkpoints import Writer
from harness.store import files


def tensors(value: float) -> list[tuple[str, torch.Tensor]]:
    return [("model.a", torch.full((3, 2), value)), ("log.sums", torch.zeros(1, 3))]


def test_the_newest_k_are_kept(tmp_path: Path) -> None:
    writer = Writer(tmp_path, kept=3)
    for step in range(1, 6):
        writer.save(tensors(step), {"step": step})
    writer.wait()
    assert [p.name for p in sorted(tmp_path.iterdir())] == [f"step-{n:09d}" for n in (3, 4, 5)]


def test_what_is_written_is_the_state_when_it_was_asked_for(tmp_path: Path) -> None:
    weight = torch.ones(1000, 100)
    writer = Writer(tmp_path)
    writer.save([("model.a", weight)], {"step": 1})
    weight.zero_()  # training goes on while the thread writes
    writer.wait()
    newest = checkpoints.newest(tmp_path)
    assert newest is not None
    read, about = checkpoints.read(newest)
    assert torch.equal(read["model.a"], torch.ones(1000, 100)) and about["step"] == 1


def test_an_error_in_the_thread_is_raised_at_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path)
    writer.save(tensors(1), {"step": 1})
    writer.wait()

    def full(operation: str, path: Path) -> None:
        if operation == "write":
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "step", full)
        writer.save(tensors(2), {"step": 2})
        with pytest.raises(files.DiskFull):
            writer.wait()
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]
    writer.save(tensors(3), {"step": 3})  # and goes on when there is room again
    writer.wait()


@pytest.mark.slow
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.tuples(
            st.sampled_from(sorted(checkpoints.DTYPES, key=str)),
            st.lists(st.integers(0, 3), max_size=3),
        ),
        max_size=6,
    )
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_read_by_safetensors_and_vouched_for(
    tmp_path: Path, kinds: dict[str, tuple[torch.dtype, list[int]]]
) -> None:
    kinds.pop("__metadata__", None)
    tensors = {n: (torch.randn(s) * 99).to(dtype) for n, (dtype, s) in kinds.items()}
    size, digest = checkpoints.write_tensors(tmp_path / "a", tensors)
    assert (size, digest) == ((tmp_path / "a").stat().st_size, files.sha256(tmp_path / "a"))
    read = safetensors.torch.load_file(tmp_path / "a")
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        assert read[name].dtype == value.dtype and read[name].shape == value.shape
        assert torch.equal(read[name], value)


def test_what_does_not_lie_in_one_piece_is_written_in_order(tmp_path: Path) -> None:
    turned = torch.arange(6.0).view(2, 3).T
    checkpoints.write_tensors(tmp_path / "a", {"x": turned})
    assert torch.equal(safetensors.torch.load_file(tmp_path / "a")["x"], turned)


def test_a_disk_that_fills_while_writing_says_how_many_bytes_are_missing(tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").symlink_to("/dev/full")  # the kernel's own ENOSPC
    with pytest.raises(files.DiskFull, match=r"needs 4,072 bytes .* 4,072 bytes are missing"):
        checkpoints.write(tmp_path, {"a": torch.zeros(1000)}, {"step": 1})


def test_a_disk_that_fills_in_the_middle_counts_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [3000]

    class Small(io.FileIO):
        def write(self, data: Any) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            count = super().write(data[: room[0]])
            room[0] -= count
            return count

    monkeypatch.setattr(checkpoints, "open", lambda path, *_, **__: Small(path, "w"), raising=False)
    with pytest.raises(files.DiskFull, match=r"after 3,000: 1,072 bytes are missing"):
        checkpoints.write(tmp_path, {"a": torch.zeros(1000)}, {"step": 1})


def test_a_checkpoint_is_due_once_per_interval_though_it_comes_a_step_later() -> None:
    now = [0.0]
    schedule = checkpoints.Schedule(minutes=1, every=None, clock=lambda: now[0])
    due = []
    for step in range(1, 200):  # a second each
        now[0] += 1
        if schedule.due(step, busy=100 < step < 150):
            due.append(step)
    assert due == [61, 150]  # after a minute; then as soon as the disk is free
    assert [n for n in range(1, 9) if checkpoints.Schedule(1e9, 3).due(n, busy=True)] == [3, 6]


def test_the_bytes_missing_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(files.DiskFull, match=r"needs 4,000 bytes.* 3,200 bytes are missing"):
        checkpoints.check_space(tmp_path, 4000)


def test_what_killed_writers_left_is_removed_and_what_may_be_written_now_stays(
    tmp_path: Path,
) -> None:
    here, gone = socket.gethostname(), 4_194_305  # above the kernel's largest process id
    made = {
        f"_step-000000004.{here}.{gone}.aaaaaaaa": "dead",
        f"_step-000000006.{here}.{os.getpid()}.aaaaaaaa": "dead",  # our number, an earlier process
        f"_step-000000008.{here}.{os.getppid()}.aaaaaaaa": "living",
        f"_step-000000010.{here}.elsewhere.{gone}.aaaaaaaa": "another machine's",
        "_step-000000012.aaaaaaaa": "an earlier version's",
    }
    for name in made:
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.safetensors").write_bytes(b"half")
    checkpoints.save(tmp_path, dict(tensors(1)), {"step": 2})
    checkpoints.clear_leftovers(tmp_path)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {n for n, what in made.items() if what != "dead"} | {"step-000000002"}
    for name in left - {"step-000000002"}:
        for path in (tmp_path / name / "state.safetensors", tmp_path / name):
            old = path.stat().st_mtime - 2 * checkpoints.SILENT_S
            os.utime(path, (old, old))
    checkpoints.clear_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000002"]


def test_all_processes_go_through_the_tensors_in_one_order_however_a_state_was_filled() -> None:
    """Sharded, an order of its own would pair one process's moments with another's."""

    def state(order: list[str]) -> checkpoints.TrainingState:
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(model.parameters())
        for parameter in model.parameters():
            for key in order:
                shape = () if key == "step" else parameter.shape
                optimizer.state[parameter][key] = torch.zeros(shape)
        return checkpoints.TrainingState(model, model, optimizer)

    keys = ["step", "exp_avg", "exp_avg_sq"]
    first, *others = [
        [name for name, _ in state(list(order)).tensors()] for order in itertools.permutations(keys)
    ]
    assert all(names == first for names in others)


class Sharded(torch.Tensor):
    """Stands for torch's DTensor: rank 1 of 3, cut along the first dimension."""

    full_tensor = None

    class device_mesh:
        size = staticmethod(lambda: 3)
        get_local_rank = staticmethod(lambda: 1)


def test_a_process_takes_its_rows_of_a_whole_tensor() -> None:
    like = torch.empty(3, 2).as_subclass(Sharded)
    whole = torch.arange(14).view(7, 2)
    assert checkpoints.part(whole, like).tolist() == whole[3:6].tolist()
    assert checkpoints.part(whole[:3], like).tolist() == whole[1:2].tolist()
    assert checkpoints.part(whole, torch.empty(7, 2)) is whole

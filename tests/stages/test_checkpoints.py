"""Checkpoints written in a thread: whole or not at all, the newest few, errors not lost."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
import torch

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


def test_the_bytes_missing_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(files.DiskFull, match=r"needs 4,000 bytes.* 3,200 bytes are missing"):
        checkpoints.check_space(tmp_path, 4000)


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

"""Several processes: the same images and, to rounding, the same numbers as one."""

from __future__ import annotations

import json
import random
import socket
import time
from typing import Any

import numpy as np
import processes
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.order import batch_indices
from harness.errors import BadInput, Missing
from harness.stages import distributed
from harness.stages.distributed import Agreement, World

Laboratory = Any  # conftest.py's; pytest gives it without an import
# Tests of one start of processes, which takes longer than all of them, stay in one worker.
of_two = pytest.mark.xdist_group("made by two processes")
of_three = pytest.mark.xdist_group("made by three processes")


def weights(laboratory: Laboratory, task: Any, name: str = "ema") -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(laboratory.folder(task) / f"{name}.safetensors")


@pytest.fixture(scope="module")
def made(prepared: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The tiny run by one process and, in one start of two processes, in several ways by two."""
    root = tmp_path_factory.mktemp("distributed")
    found: dict[str, Any] = {n: prepared.copy(root / n) for n in ("one", "two", "stopped", "fsdp")}
    task = found["one"].task("train")
    found["one"].run(task)
    found["task"] = task
    fsdp = found["fsdp"].task("train", fsdp=True, batch_per_device=2)
    results = {n: str(found[n].store.root) for n in ("two", "stopped", "fsdp")}
    jobs: list[tuple[str, str, list[int]]] = [
        (results["two"], task.to_json(), []),
        (results["stopped"], task.to_json(), [3, 1, 1]),
        (results["fsdp"], fsdp.to_json(), [3, 1, 1]),
    ]
    found["sample"] = found["two"].task("sample", batch_size=8)
    jobs.append((results["two"], found["sample"].to_json(), []))
    ended = processes.do(root, jobs, start=processes.fresh)
    assert ended.codes == [0, 0], str(ended)
    found["said"] = ended.outputs[0]
    return found


def agree(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-5)


@of_two
@pytest.mark.slow
def test_two_processes_train_what_one_does_to_rounding(made: dict[str, Any]) -> None:
    agree(weights(made["two"], made["task"]), weights(made["one"], made["task"]))
    ours, theirs = (made[n].rows(made["task"], "training") for n in ("two", "one"))
    assert [r["step"] for r in ours] == [r["step"] for r in theirs] == [4, 8, 12]
    for a, b in zip(ours, theirs, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)


@of_two
@pytest.mark.slow
def test_two_processes_stopped_and_resumed_end_bitwise_where_two_undisturbed_do(
    made: dict[str, Any],
) -> None:
    assert made["said"].count("checkpoint written at step") == 6
    for name in ("ema.safetensors", "state.safetensors"):
        ours, theirs = (made[n].folder(made["task"]) / name for n in ("stopped", "two"))
        assert ours.read_bytes() == theirs.read_bytes()
    ours, theirs = (made[n].rows(made["task"], "training") for n in ("stopped", "two"))
    assert [r["loss"] for r in ours] == [r["loss"] for r in theirs]


@of_two
@pytest.mark.slow
def test_a_sharded_model_stopped_and_resumed_agrees_with_one_process(made: dict[str, Any]) -> None:
    for name in ("ema", "state"):
        agree(weights(made["fsdp"], made["task"], name), weights(made["one"], made["task"], name))


@of_two
@pytest.mark.slow
def test_two_processes_draw_the_samples_that_one_does(made: dict[str, Any]) -> None:
    task = made["sample"]
    two = np.load(made["two"].folder(task) / "samples.npz")
    # The same checkpoint, so that sampling alone is compared.
    alone = made["two"].copy(made["two"].root.parent / "alone")
    import shutil

    shutil.rmtree(alone.folder(task))
    alone.run(task)
    one = np.load(alone.folder(task) / "samples.npz")
    assert np.array_equal(one["labels"], two["labels"])
    assert np.array_equal(one["arr_0"], two["arr_0"])


# 12 images a step: 3 processes in 2 passes of 2 each, or 4, 2 or 1 in others.
TWELVE = ("train.batch_size=12", "train.steps=12")


@pytest.fixture(scope="module")
def by_three(prepared: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """A run by three processes, each adding up the gradients of two passes; undisturbed."""
    laboratory = prepared.copy(tmp_path_factory.mktemp("three"))
    task = laboratory.task("train", *TWELVE, batch_per_device=2)
    assert processes.attempt(laboratory.store.root, task.to_json(), 3) == [0, 0, 0]
    return laboratory


@of_three
@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True])
def test_three_processes_killed_at_random_steps_end_bitwise_where_undisturbed_ones_do(
    laboratory: Laboratory, by_three: Laboratory, fsdp: bool
) -> None:
    dice, place = random.Random(fsdp), {"batch_per_device": 2, "fsdp": fsdp}
    if fsdp:  # shards round unlike copies
        by_three = laboratory.copy(laboratory.root / "undisturbed")
        task = by_three.task("train", *TWELVE, **place)
        assert processes.attempt(by_three.store.root, task.to_json(), 3) == [0, 0, 0]
    task = laboratory.task("train", *TWELVE, **place, checkpoint_every=1)
    for _ in range(3):
        when = [dice.randint(1, 5) for _ in range(3)]
        codes = processes.attempt(laboratory.store.root, task.to_json(), 3, kill_at=when)
        assert set(codes) == {-9}
    assert laboratory.store.manifest("train", task.key) is None
    assert processes.attempt(laboratory.store.root, task.to_json(), 3) == [0, 0, 0]
    for name in ("ema.safetensors", "state.safetensors"):
        ours, theirs = (x.folder(task) / name for x in (laboratory, by_three))
        assert ours.read_bytes() == theirs.read_bytes()
    ours, theirs = (x.rows(task, "training") for x in (laboratory, by_three))
    assert [(r["loss"], r["grad_norm"]) for r in ours] == [
        (r["loss"], r["grad_norm"]) for r in theirs
    ]


@of_three
@pytest.mark.slow
def test_a_run_resumed_on_other_numbers_of_processes_reads_the_same_images_and_agrees(
    laboratory: Laboratory, by_three: Laboratory
) -> None:
    root, read = laboratory.store.root, laboratory.root / "read"
    for count, passes, stop in ((3, 2, 2), (4, 1, 2), (2, 3, 2), (1, 12, None)):
        (read / str(count)).mkdir(parents=True)
        task = laboratory.task("train", *TWELVE, batch_per_device=12 // count // min(passes, 3))
        codes = processes.attempt(root, task.to_json(), count, stop_at=stop, read=read / str(count))
        assert codes == [0 if stop is None else 3] * count
    for name in ("ema", "state"):
        agree(weights(laboratory, task, name), weights(by_three, task, name))
    ours, theirs = (x.rows(task, "training") for x in (laboratory, by_three))
    assert [r["loss"] for r in ours] == pytest.approx([r["loss"] for r in theirs], rel=1e-5)

    images: dict[int, list[int]] = {}
    for count in (3, 4, 2, 1):
        for rank in range(count):
            first = rank == 0
            for line in (read / str(count) / f"rank{rank}.jsonl").read_text().splitlines():
                step, rows = json.loads(line)
                images[step] = rows if first else images[step] + rows
    assert images == {n: batch_indices(0, n, 12, 40).tolist() for n in range(12)}


@pytest.mark.slow
def test_a_number_of_processes_that_does_not_divide_the_batch_is_refused_with_those_that_do(
    laboratory: Laboratory,
) -> None:
    task = laboratory.task("train")
    ended = processes.do(laboratory.root, [(str(laboratory.store.root), task.to_json(), [])], 3)
    assert ended.codes == [1, 1, 1]
    for output in ended.outputs:
        assert output.strip().endswith(
            "train.batch_size 8 cannot be divided among 3 processes; "
            "these numbers of processes do: 1, 2, 4, 8"
        ), str(ended)


@given(st.integers(1, 64), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_the_processes_rows_are_the_whole_batch_in_order(count: int, size: int) -> None:
    parts = [World(rank, size).rows(count) for rank in range(size)]
    assert [i for start, stop in parts for i in range(start, stop)] == list(range(count))
    assert max(b - a for a, b in parts) - min(b - a for a, b in parts) <= 1


def alone_at(
    monkeypatch: pytest.MonkeyPatch, laboratory: Laboratory, rank: int, port: int
) -> tuple[str, float]:
    """What a train stage says whose other process does not come, and after how many seconds."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in {**address, "WORLD_SIZE": "2", "RANK": str(rank)}.items():
        monkeypatch.setenv(name, value)
    task, began = laboratory.task("train", rendezvous_minutes=1 / 60), time.monotonic()
    with pytest.raises(Missing) as caught:
        laboratory.run(task)
    return str(caught.value), time.monotonic() - began


def test_a_rendezvous_that_fails_without_a_message_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(distributed, "_meet", silent)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in {**address, "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Missing, match=r"is the port free\? \(TimeoutError\)$"):
        distributed.join(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rendezvous_nobody_comes_to_times_out_with_its_address(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    port = processes.free_port()
    said, took = alone_at(monkeypatch, laboratory, rank, port)
    assert f"process {rank} of 2 found no rendezvous at 127.0.0.1:{port} in" in said
    assert "dispatch.rendezvous_minutes" in said and took < 240


@pytest.mark.slow
def test_a_rendezvous_where_something_else_listens_times_out_as_well(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "PATIENCE_S", 1.0)
    port = processes.free_port()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", port))
        silent.listen()
        said, took = alone_at(monkeypatch, laboratory, 1, port)
        assert "what listens there does not answer" in said and took < 240
        said, _ = alone_at(monkeypatch, laboratory, 0, port)
        assert "address already in use" in said.lower()


def test_an_incomplete_environment_says_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInput, match="RANK, MASTER_ADDR, MASTER_PORT is not set"):
        distributed.join(2)


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT"])
def test_a_variable_that_is_no_number_is_named_with_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    right = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for variable, value in {**right, name: "two"}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(BadInput, match=f"environment variable {name} is 'two', not a whole number"):
        distributed.join(2)


def test_a_process_alone_agrees_with_itself_at_once() -> None:
    assert [Agreement(World())(wish) for wish in (0, 2, 1)] == [0, 2, 1]


def test_processes_that_have_not_met_have_no_notes_for_one_another() -> None:
    assert distributed.noticeboard("energy", 1.0) is None
